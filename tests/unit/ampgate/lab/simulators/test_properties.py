"""The operations on properties as amplitude.md#property-operations tells of them."""

import pytest

from ampgate.lab.simulators.model import Violations
from ampgate.lab.simulators.properties import (
    GROUP_OPERATIONS,
    USER_OPERATIONS,
    PropertyTable,
    apply_operations,
    misuses,
)


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ({"a": 1}, {"$set": {"a": 2}}, {"a": 2}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({"a": 1}, {"$setOnce": {"a": 2, "b": 3}}, {"a": 1, "b": 3}),
        ({"a": 1}, {"$unset": {"a": "-"}}, {}),
        ({"a": 1}, {"$add": {"a": 2, "b": "1.5"}}, {"a": 3, "b": 1.5}),
        ({"a": "x"}, {"$add": {"a": 1}}, {"a": 1}),
        ({"a": 1}, {"$add": {"a": True}}, {"a": 1}),
        ({"a": 1}, {"$append": {"a": 2, "b": [3, 4]}}, {"a": [1, 2], "b": [3, 4]}),
        ({"a": [1]}, {"$prepend": {"a": [2, 3]}}, {"a": [2, 3, 1]}),
        ({"a": [1]}, {"$preInsert": {"a": [1, 2, 2]}}, {"a": [2, 1]}),
        ({"a": [1]}, {"$postInsert": {"a": [1, True]}}, {"a": [1, True]}),
        ({"a": [1, 2, 1]}, {"$remove": {"a": 1, "b": 1}}, {"a": [2]}),
        ({"a": 1, "b": 2}, {"$clearAll": "-"}, {}),
        ({"a": 1}, {"$clearAll": "-", "$setOnce": {"a": 2}}, {"a": 2}),
        ({"a": 1}, {"$add": {"a": 1}, "$set": {"a": 5}, "$unset": {"a": "-"}}, {"a": 6}),
        ({}, {"$remove": {"a": 1}, "$append": {"a": [1, 2]}}, {"a": [2]}),
        ({"a": 1}, {"a": 9, "$set": {"a": 2}}, {"a": 9}),
        ({"a": 1}, {"$set": 7, "$foo": {"a": 2}}, {"a": 1}),
    ],
)
def test_operations_apply_in_the_servers_order(
    before: dict[str, object], changes: dict[str, object], after: dict[str, object]
) -> None:
    apply_operations(before, changes)

    assert after == before


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({"$set": {"a": 1}, "$add": {"b": 1}}, 0),
        ({"a": 1, "b": 2}, 0),
        ({"$set": {"a": 1}, "b": 2}, 1),
        ({"$clearAll": "-", "$set": {"a": 1}}, 1),
        ({"$foo": {"a": 1}}, 1),
        ({"$set": 1}, 1),
    ],
)
def test_what_the_documentation_forbids_is_a_misuse(changes: dict[str, object], count: int) -> None:
    assert count == len(misuses(changes, USER_OPERATIONS))


def test_a_group_knows_fewer_operations() -> None:
    violations = Violations()
    table = PropertyTable(GROUP_OPERATIONS, violations)
    table.apply("org:1", {"$postInsert": {"a": 1}, "$set": {"b": 1}}, now=0.0)

    assert table.of("org:1") == {"b": 1}
    assert violations.total > 0


def test_the_1800_an_hour_are_a_moving_window() -> None:
    table = PropertyTable(USER_OPERATIONS, Violations())
    for _ in range(1801):
        table.apply("user-1", {"$add": {"n": 1}}, now=0.0)
    table.apply("user-1", {"$add": {"n": 1}}, now=3600.0)

    assert table.of("user-1") == {"n": 1801}
    assert table.ignored == 1
