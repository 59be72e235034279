"""Which events a destination gets, under which names, and without which properties."""

from copy import deepcopy
from fnmatch import fnmatchcase
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consumers.delivery.destination import Encoded, EncodesMany
from consumers.delivery.outcomes import Reject, Skip
from consumers.destinations import destinations_of
from consumers.destinations.shaping.properties import Drop
from schemas.topics import Kind
from tests.simulation.log import Kept
from tests.unit.consumers.destinations.shaping.shaping import (
    EVENT,
    destination,
    outcome,
    record,
)


@pytest.mark.parametrize(
    ("events", "event_type", "is_sent"),
    [
        ({"allow": ["Order *"]}, "Order Completed", True),
        ({"allow": ["Order *"]}, "order completed", False),
        ({"allow": ["Order *"]}, "Order \n", True),
        ({"allow": ["Order *"]}, "An Order ", False),
        ({"allow": ["a", "b"]}, "b", True),
        ({"allow": []}, "b", False),
        ({"deny": ["debug_*"]}, "debug_x", False),
        ({"deny": ["debug_*"]}, "x", True),
        ({"allow": ["*"], "deny": ["[xy]?"]}, "x1", False),
        ({"allow": []}, "$identify", True),
        ({"deny": ["*"]}, "$groupidentify", True),
    ],
)
def test_an_event_type_that_the_patterns_do_not_want_is_skipped(
    events: dict[str, list[str]], event_type: str, is_sent: bool
) -> None:
    found = outcome(destination(events=events), {**EVENT, "event_type": event_type})
    assert (found == Skip("not_routed")) is not is_sent
    assert isinstance(found, dict) is is_sent


def test_property_updates_are_routed_by_no_pattern() -> None:
    update = {"user_id": "ann", "user_properties": {"a": 1}}
    assert outcome(destination(events={"allow": []}), update, Kind.USER_PROPERTIES) == update


@given(
    st.lists(st.sampled_from(["a", "ab", "b", "$identify", "", "\n"]), max_size=5),
    st.lists(st.text("ab*?[]!", min_size=1, max_size=4), max_size=3),
    st.lists(st.text("ab*?[]!", min_size=1, max_size=4), max_size=3),
)
def test_events_that_come_together_are_routed_as_each_alone(
    types: list[str], allow: list[str], deny: list[str]
) -> None:
    config = destination(events={"allow": allow, "deny": deny})
    part = destinations_of(config)[0]
    assert isinstance(part, EncodesMany)
    records = [record({**EVENT, "event_type": one}) for one in types]

    together = part.encode_all(records)
    assert list(together) == [part.encode(one) for one in records]
    for event_type, found in zip(types, together, strict=True):
        if not event_type.strip():
            assert isinstance(found, Reject)
            continue
        wanted = any(fnmatchcase(event_type, one) for one in allow)
        wanted &= not any(fnmatchcase(event_type, one) for one in deny)
        assert isinstance(found, Encoded) is (wanted or event_type.startswith("$"))


def test_an_event_is_renamed_after_it_was_routed() -> None:
    config = destination(events={"allow": ["Bought"]}, rename={"Bought": "Order Completed"})
    assert outcome(config, EVENT) == {**EVENT, "event_type": "Order Completed"}
    assert outcome(config, {**EVENT, "event_type": "Order Completed"}) == Skip("not_routed")


@pytest.mark.parametrize(
    "rename", [{"a": ""}, {"a": " "}, {"$identify": "a"}, {"a": "$groupidentify"}]
)
def test_a_name_that_no_event_can_have_is_a_wrong_configuration(rename: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"blank|updates properties"):
        destination(rename=rename)


@pytest.mark.parametrize(
    ("pattern", "properties", "left"),
    [
        ("email", {"email": 1, "emails": 2}, {"emails": 2}),
        ("e*", {"email": 1, "emails": 2}, {}),
        ("address.zip", {"address": {"zip": 1, "city": 2}}, {"address": {"city": 2}}),
        ("address.*", {"address": {"zip": 1}}, {"address": {}}),
        ("*.zip", {"address": {"zip": 1}, "zip": 2}, {"address": {}, "zip": 2}),
        ("items.email", {"items": [{"email": 1}, {"sku": 2}, 3]}, {"items": [{}, {"sku": 2}, 3]}),
        ("a.b", {"a.b": 1, "a": {"b": 2}}, {"a": {}}),
        ("event_properties.email", {"email": 1}, {}),
        ("user_properties.email", {"email": 1}, {"email": 1}),
        ("$set", {"$set": 1}, {}),
    ],
)
def test_a_property_of_an_event_is_dropped_by_its_path(
    pattern: str, properties: dict[str, Any], left: dict[str, Any]
) -> None:
    config = destination(drop_properties=[pattern])
    found = outcome(config, {**EVENT, "event_properties": properties})
    assert found == {**EVENT, "event_properties": left}


def test_a_user_property_is_dropped_under_each_operation() -> None:
    given = {"email": 1, "$set": {"email": 1, "a": 2}, "$unset": {"email": "-"}, "$clearAll": "-"}
    left = {"$set": {"a": 2}, "$unset": {}, "$clearAll": "-"}
    config = destination(drop_properties=["user_properties.email"])

    update = {"user_id": "ann", "user_properties": given}
    assert outcome(config, update, Kind.USER_PROPERTIES) == {**update, "user_properties": left}
    event = {**EVENT, "user_properties": given}
    assert outcome(config, event) == {**EVENT, "user_properties": left}


@pytest.mark.parametrize(
    ("properties", "is_sent"),
    [
        ({"email": "a"}, False),
        ({"$set": {"email": "a"}, "$unset": {"email": "-"}}, False),
        ({"$set": {"email": "a"}, "$add": {"orders": 1}}, True),
        ({"$set": {"email": "a"}, "orders": 0}, True),
        ({}, True),  # As its sender meant it: nothing was dropped.
    ],
)
@pytest.mark.parametrize("kind", [Kind.USER_PROPERTIES, Kind.GROUP_PROPERTIES])
def test_an_update_of_which_nothing_is_left_is_skipped(
    properties: dict[str, Any], is_sent: bool, kind: Kind
) -> None:
    dropping = destination(drop_properties=[f"{kind.value}.email"])
    who = {"user_id": "ann", "group_type": "team", "group_value": "red"}
    names = ("user_id",) if kind is Kind.USER_PROPERTIES else ("group_type", "group_value")
    update = {**{name: who[name] for name in names}, "time": 1, kind.value: properties}

    assert (outcome(dropping, update, kind) == Skip("drop_properties")) is not is_sent


def test_an_update_that_says_more_than_its_properties_is_sent_without_them() -> None:
    dropping = destination(drop_properties=["user_properties.*"])
    update = {"user_id": "ann", "country": "DE", "user_properties": {"email": "a"}}

    assert outcome(dropping, update, Kind.USER_PROPERTIES) == {**update, "user_properties": {}}


def test_an_event_without_such_a_property_keeps_its_bytes() -> None:
    spaced = b'{"event_type" : "e", "user_id":"u", "insert_id":"i", "time":1, "n":1.50}'
    part = destinations_of(destination(drop_properties=["email"]))[0]
    found = part.encode(Kept("t", 0, 1, None, spaced, None))
    assert isinstance(found, Encoded)
    assert found.body == spaced


TREES = st.recursive(
    st.none() | st.integers(-(2**63), 2**64 - 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab$"), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("ab$"), TREES), st.text("ab$.*?", min_size=1, max_size=5))
def test_no_path_is_left_that_a_pattern_matches(tree: dict[str, Any], pattern: str) -> None:
    def paths(node: object, path: str) -> set[str]:
        if isinstance(node, list):
            return {found for one in node for found in paths(one, path)}
        if not isinstance(node, dict):
            return set()
        own = {f"{path}{name}" for name in node}
        return own | {one for name in node for one in paths(node[name], f"{path}{name}.")}

    event = {"event_properties": deepcopy(tree)}
    is_changed = Drop([pattern]).of(event)
    left = paths(event["event_properties"], "")
    assert not any(fnmatchcase(one, pattern) for one in left)
    assert is_changed is any(fnmatchcase(one, pattern) for one in paths(tree, ""))
    assert orjson.dumps(event)
