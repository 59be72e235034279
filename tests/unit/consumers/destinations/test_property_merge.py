"""Which updates of one user or group are merged, and what becomes of all that is no property."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.destinations.amplitude.property_merge import (
    MERGED_MAX_BYTES,
    PROPERTIES_MAX,
    merged_group_identification,
    merged_identification,
)
from tests.unit.consumers.destinations.identifications import USER, Tree, changes_of, group, user


@pytest.mark.parametrize(
    ("first", "second", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"$set": {"a": 1, "b": 2}}),
        ({"a": 1}, {"$set": {"a": 2}}, {"$set": {"a": 2}}),
        ({"$add": {"a": 1}}, {"$append": {"b": 2}}, {"$add": {"a": 1}, "$append": {"b": 2}}),
        ({"$setOnce": {"a": 1}}, {"$set": {"a": {"n": 2}}}, {"$set": {"a": {"n": 2}}}),
        ({"$append": {"a": 1}}, {"$unset": {"a": "-"}}, {"$unset": {"a": "-"}}),
        ({"$unset": {"a": "-"}}, {"$set": {"a": 1}}, {"$set": {"a": 1}}),
        ({"$set": {"a": 1}}, {"$setOnce": {"a": 2}}, {"$set": {"a": 1}}),
        ({"$setOnce": {"a": 1}}, {"$setOnce": {"a": 2}}, {"$setOnce": {"a": 1}}),
        ({"$add": {"a": 1}}, {"$add": {"a": 2}}, {"$add": {"a": 3}}),
        ({"$set": {"a": 5}}, {"$add": {"a": -7}}, {"$set": {"a": -2}}),
        ({"$append": {"a": 1}}, {"$append": {"a": [2, [3]]}}, {"$append": {"a": [1, 2, [3]]}}),
        ({"$set": {"a": [1]}}, {"$append": {"a": 2}}, {"$set": {"a": [1, 2]}}),
        ({"$postInsert": {"a": 1}}, {"$postInsert": {"a": 1}}, {"$postInsert": {"a": 1}}),
        (
            {"$postInsert": {"a": "x"}},
            {"$postInsert": {"a": ["y"]}},
            {"$postInsert": {"a": ["x", "y"]}},
        ),
        ({"$remove": {"a": 1}}, {"$remove": {"a": [2, 3]}}, {"$remove": {"a": [1, 2, 3]}}),
        ({"$set": {"a": None}}, {"$set": {"a": None}}, {"$set": {"a": None}}),
        ({"$add": {"a": 1}}, {"$clearAll": "-"}, {"$clearAll": "-"}),
        ({}, {"$prepend": {"a": [1, 2]}}, {"$prepend": {"a": [1, 2]}}),
        (None, {"a": 1}, {"$set": {"a": 1}}),
    ],
)
def test_what_can_be_said_in_one_is(first: object, second: object, merged: object) -> None:
    record = merged_identification(user(first), user(second))

    assert record is not None
    assert merged == changes_of(record)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"$set": {"a": 1}}, {"$set": {"a": None}}),
        ({"$set": {"a": None}}, {"$setOnce": {"a": 1}}),
        ({"$set": {"a": ""}}, {"$setOnce": {"a": 1}}),
        ({"$unset": {"a": "-"}}, {"$setOnce": {"a": 1}}),
        ({"$unset": {"a": "-"}}, {"$add": {"a": 1}}),
        ({"$add": {"a": 0.1}}, {"$add": {"a": 0.2}}),
        ({"$add": {"a": 1}}, {"$add": {"a": "2"}}),
        ({"$add": {"a": 1}}, {"$add": {"a": True}}),
        ({"$add": {"a": 1}}, {"$add": {"a": -1}}),
        ({"$add": {"a": 10**15}}, {"$add": {"a": 1}}),
        ({"$set": {"a": 0.5}}, {"$add": {"a": 1}}),
        ({"$set": {"a": "1"}}, {"$add": {"a": 1}}),
        ({"$setOnce": {"a": 1}}, {"$add": {"a": 1}}),
        ({"$set": {"a": 1}}, {"$append": {"a": 2}}),
        ({"$append": {"a": 1}}, {"$append": {"a": None}}),
        ({"$append": {"a": None}}, {"$append": {"a": 1}}),
        ({"$append": {"a": 1}}, {"$prepend": {"a": 2}}),
        ({"$prepend": {"a": 1}}, {"$prepend": {"a": 2}}),
        ({"$preInsert": {"a": "x"}}, {"$preInsert": {"a": "y"}}),
        ({"$postInsert": {"a": ["x", "y"]}}, {"$postInsert": {"a": ["y"]}}),
        ({"$postInsert": {"a": 1}}, {"$postInsert": {"a": "1"}}),
        ({"$remove": {"a": 1}}, {"$append": {"a": 1}}),
        ({"$clearAll": "-"}, {"$set": {"a": 1}}),
        ({"$set": {"a": 1}}, {"$clearAll": "-", "$set": {"a": 1}}),
        ({"$set": {"a": 1}}, {"$set": {"b": 1}, "c": 2}),
        ({"$set": {"a": 1}}, {"$set": {"b": 1}, "$add": {"b": 1}}),
        ({"$set": {"a": 1}}, {"$new": {"b": 1}}),
        ({"$set": {"a": 1}}, {"$set": 7}),
        ({"$set": {"a": 1}}, {"$add": {"b": "x"}}),
    ],
)
def test_what_is_not_surely_the_same_stays_apart(first: object, second: object) -> None:
    assert merged_identification(user(first), user(second)) is None


@pytest.mark.parametrize("changes", [{"$postInsert": {"a": 1}}, {"$clearAll": "-"}])
def test_a_group_is_not_merged_by_what_only_a_user_knows(changes: object) -> None:
    assert merged_group_identification(group({"a": 1}), group(changes)) is None
    assert merged_group_identification(group({"a": 1}), group({"b": 1})) is not None


members = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.sampled_from(["user-1", "user-2"]),
        "device_id": st.sampled_from(["device-1", "device-2"]),
        "platform": st.sampled_from(["iOS", "Web"]),
        "os_name": st.sampled_from(["iOS", None]),
        "groups": st.sampled_from([{"org": "1"}, {"org": ["1", "2"]}]),
    },
)


@given(members, members)
def test_only_updates_alike_in_all_else_are_merged(first: Tree, second: Tree) -> None:
    merged = merged_identification(user({"a": 1}, **first), user({"b": 2}, **second))

    assert (merged is not None) == ({**USER, **first} == {**USER, **second})


@pytest.mark.parametrize(
    ("first", "second", "is_merged"),
    [
        ({}, {}, True),
        ({"time": 5}, {"time": 5}, True),
        ({"time": 5}, {"time": 6}, True),
        ({"time": 6}, {"time": 5}, False),
        ({"time": 5}, {}, False),
        ({}, {"time": 5}, False),
        ({"time": None}, {"time": 5}, False),
    ],
)
def test_updates_out_of_order_are_not_merged(first: Tree, second: Tree, is_merged: bool) -> None:
    assert is_merged == (
        merged_identification(user({"a": 1}, **first), user({"b": 2}, **second)) is not None
    )


def test_a_merged_update_has_the_last_time_and_nobodys_insert_id() -> None:
    first = user({"$add": {"a": 1}}, time=5, insert_id="i1", platform="iOS")
    second = user({"$add": {"a": 1}}, time=6, insert_id="i2", platform="iOS")

    merged = merged_identification(first, second)
    assert merged is not None
    assert orjson.loads(merged) == {
        **USER, "platform": "iOS", "time": 6, "user_properties": {"$add": {"a": 2}}
    }  # fmt: skip


def test_values_travel_as_they_came() -> None:
    first = b'{"user_id":"u","user_properties":{"$set":{"a":1.10,"b":12345678901234567890123}}}'
    second = b'{"user_id":"u","user_properties":{"$set":{"c":"\\u00e9"}}}'

    merged = merged_identification(first, second)
    assert merged is not None
    for text in (b'"a":1.10', b'"b":12345678901234567890123', b'"c":"\\u00e9"'):
        assert text in merged


def test_a_merged_update_keeps_within_the_limits() -> None:
    many = [user({f"{half}{n}": n for n in range(PROPERTIES_MAX // 2)}) for half in "ab"]
    assert merged_identification(*many) is not None
    assert merged_identification(many[0], user({f"b{n}": n for n in range(600)})) is None
    long = "x" * (MERGED_MAX_BYTES // 2)
    assert merged_identification(user({"a": long}), user({"b": 1})) is not None
    assert merged_identification(user({"a": long}), user({"b": long})) is None
