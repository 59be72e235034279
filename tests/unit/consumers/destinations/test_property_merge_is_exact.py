"""Merged updates do exactly what they would have done one by one, whatever they are."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.lab.simulators.properties import GROUP_OPERATIONS, USER_OPERATIONS
from consumers.destinations.amplitude.property_merge import (
    merged_group_identification,
    merged_identification,
)
from tests.unit.ampgate.lab.simulators.requests import amplitude, answered, identify
from tests.unit.consumers.destinations.identifications import Tree, changes_of, group, user
from tests.unit.consumers.destinations.possible_servers import SERVERS, Server, State, applied

Merge = Callable[[bytes, bytes], bytes | None]
USER = {"user_id": "user-1"}
GROUP = {"group_type": "org", "group_value": "15"}

SCALARS: tuple[object, ...] = (1, -1, 0, 0.5, "x", "y", "", "1", True, None, {"n": 1})
VALUES: tuple[object, ...] = (*SCALARS, [], ["x"], ["y", "x"], ["z", "z"], [1, 2], [1.0], [None])
NUMBERS: tuple[object, ...] = (1, -1, 0, 5, 0.1, 0.5, "1", 10**15, None)
STATES: Sequence[State] = [{}, *({"a": value} for value in VALUES)]
OPERATIONS = [
    (name, value)
    for name in sorted(USER_OPERATIONS - {"$clearAll"})
    for value in {"$add": NUMBERS, "$unset": ("-", None)}.get(name, VALUES)
]

keys = st.sampled_from("ab")
values = st.sampled_from(VALUES)
states = st.dictionaries(keys, values, max_size=2)


def updates(names: frozenset[str]) -> st.SearchStrategy[Tree]:
    """Mostly as an SDK makes them: each property under one operation."""
    operations = st.sampled_from([one for one in OPERATIONS if one[0] in names])
    proper = st.dictionaries(keys, operations, max_size=2).map(_grouped)
    plain = st.dictionaries(keys, values, max_size=2)
    if "$clearAll" in names:
        return st.one_of(proper, proper, proper, plain, st.just({"$clearAll": "-"}))
    return st.one_of(proper, proper, plain)


def _grouped(operations: Mapping[str, tuple[str, object]]) -> Tree:
    found: dict[str, Tree] = {}
    for key, (name, value) in operations.items():
        found.setdefault(name, {})[key] = value
    return {**found}


broken = st.sampled_from(
    [
        {"$set": {"a": 1}, "b": 2},
        {"$set": {"a": 1}, "$add": {"a": 1}},
        {"$clearAll": "-", "$set": {"a": 1}},
        {"$set": 7},
        {"$new": {"a": 1}},
        {"$add": {"a": "x"}},
    ]
)
user_updates = updates(USER_OPERATIONS)
group_updates = updates(GROUP_OPERATIONS)


def one_by_one(records: Sequence[bytes], merge: Merge) -> list[bytes]:
    """As they wait: each merged into the last one, or next to it."""
    waiting: list[bytes] = []
    for record in records:
        merged = merge(waiting[-1], record) if waiting else None
        if merged is None:
            waiting.append(record)
        else:
            waiting[-1] = merged
    return waiting


def in_any_order(records: Sequence[bytes], merge: Merge, random: Random) -> list[bytes]:
    """Neighbours, wherever they stand, until no two merge that are looked at."""
    waiting = list(records)
    for _ in range(3 * len(records)):
        if len(waiting) > 1:
            left = random.randrange(len(waiting) - 1)
            merged = merge(waiting[left], waiting[left + 1])
            if merged is not None:
                waiting[left : left + 2] = [merged]
    return waiting


@pytest.fixture(scope="module")
def merged_pairs() -> list[tuple[Tree, Tree, Tree]]:
    """Of all pairs of operations on one property, those that are merged, and into what."""
    updates: list[Tree] = [{name: {"a": value}} for name, value in OPERATIONS]
    merged = [
        (first, second, merged_identification(user(first), user(second)))
        for first, second in product(updates, updates)
    ]
    return [(first, second, changes_of(one)) for first, second, one in merged if one is not None]


@pytest.mark.long
@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.__name__)
def test_merged_is_one_by_one_to_every_server_the_documentation_allows(
    server: Server, merged_pairs: list[tuple[Tree, Tree, Tree]]
) -> None:
    different = [
        (state, first, second, merged)
        for state, (first, second, merged) in product(STATES, merged_pairs)
        if applied(server, state, [first, second]) != applied(server, state, [merged])
    ]
    assert different == []


@given(
    st.sampled_from(SERVERS),
    st.lists(user_updates | broken, min_size=2, max_size=5),
    states,
    st.randoms(),
)
def test_it_is_the_same_however_many_wait_and_however_they_are_grouped(
    server: Server, changes: list[Tree], state: State, random: Random
) -> None:
    records = [user(one) for one in changes]
    expected = applied(server, state, changes)
    folded = one_by_one(records, merged_identification)
    grouped = in_any_order(records, merged_identification, random)

    assert expected == applied(server, state, map(changes_of, folded))
    assert expected == applied(server, state, map(changes_of, grouped))


@given(st.lists(user_updates, min_size=2, max_size=6))
def test_the_strict_simulator_holds_merged_updates_for_proper_ones(changes: list[Tree]) -> None:
    records = [user(one, insert_id=f"i{n}", time=n) for n, one in enumerate(changes)]
    apart, merged = amplitude(), amplitude()
    for model, sent in ((apart, records), (merged, one_by_one(records, merged_identification))):
        for second, record in enumerate(sent):
            answer = answered(identify(orjson.loads(record)), model, now=float(second))
            assert answer.status == 200

    assert merged.violations.total == 0
    assert _sorted(apart.properties(USER)) == _sorted(merged.properties(USER))


@given(st.lists(group_updates, min_size=2, max_size=6))
def test_groups_are_merged_alike(changes: list[Tree]) -> None:
    records = [group(one) for one in changes]
    apart, merged = amplitude(), amplitude()
    for model, sent in (
        (apart, records),
        (merged, one_by_one(records, merged_group_identification)),
    ):
        for second, record in enumerate(sent):
            request = identify(orjson.loads(record), "/groupidentify")
            assert answered(request, model, now=float(second)).status == 200

    assert merged.violations.total == 0
    assert _sorted(apart.properties(GROUP)) == _sorted(merged.properties(GROUP))


def _sorted(state: Tree | None) -> bytes:
    return orjson.dumps(state or {}, option=orjson.OPT_SORT_KEYS)
