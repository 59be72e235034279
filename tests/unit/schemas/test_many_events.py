"""Events that are read together are what each is alone, whatever is among them."""

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.events import (
    read_event,
    read_events,
    read_group_identification,
    read_group_identifications,
    read_identification,
    read_identifications,
    read_strict_events,
)
from schemas.ids import ID_CHARACTERS_MAX, INVALID_IDS, INVALID_LONG
from schemas.several import AT_ONCE
from schemas.strictness import LEVELS_MAX, Defect, strictness_defect
from tests.examples import examples
from tests.shared_data import DATA
from tests.unit.schemas.event_values import event, nested

BODIES = DATA / "naughty" / "json_bodies.ndjson"
ODD = (
    b"1e999",
    b"[]",
    b"{}",
    b'{"event_type":"a","user_id":"u","x":1e999}',
    b'{"event_type":"a","user_id":"u","x":123456789012345678901}',
    b'{"event_type":"a","user_id":"u","x":"\xff"}',
    b'{"event_type":"a","user_id":"u","time":"1"}',
    b'{"event_type":"a","user_id":"u","x":%b}' % (b"[" * 50 + b"]" * 50),
    b'{"event_type":"a","user_id":"u","x":%b}' % (b"[" * 1_500 + b"]" * 1_500),
    b'{"event_type":"a","user_id":"u","x":"%b"}' % (b"a" * 300_000),
)


@pytest.mark.skipif(not BODIES.exists(), reason=f"there is no {BODIES.name} beside the repository")
@pytest.mark.parametrize(
    "around",
    [
        b"%s",
        b'{"event_type":"a","user_id":"u1","x":%s}',
        b'{"event_type":"a","user_id":"u1","event_properties":{"x":%s}}',
        b'{"event_type":"$groupidentify","groups":{"x":%s}}',
    ],
)
def test_no_hostile_body_raises_and_no_malformed_one_is_taken(around: bytes) -> None:
    for line in BODIES.read_bytes().splitlines():
        case = json.loads(line)
        value = around.replace(b"%s", base64.b64decode(case["body_b64"]))
        facts = read_event(value)
        read_identification(value)
        read_group_identification(value)
        if case["expect"] == "reject" and not _becomes_json(value):
            assert isinstance(facts, Defect), case["id"]


def _becomes_json(value: bytes) -> bool:
    """Some malformed bodies are well-formed once something stands around them."""
    try:
        json.loads(value.decode())
    except (ValueError, RecursionError):
        return False
    return True


@given(
    st.lists(st.sampled_from([*ODD, event(), event(time=1), event(user_id=None)]), max_size=5),
    st.integers(0, AT_ONCE),
)
def test_events_that_are_read_at_once_are_what_each_is_alone(odd: list[bytes], good: int) -> None:
    values = [*odd, *[event(insert_id=f"i{n}") for n in range(good)], *odd]
    assert list(read_events(values)) == [read_event(value) for value in values]
    strict = [value for value in values if strictness_defect(value) is None]
    assert list(read_strict_events(strict)) == [read_event(value) for value in strict]


UPDATES = (
    *ODD,
    b'{"user_id":"user-1"}',
    b'{"user_properties":{}}',
    b'{"user_id":"user-1","user_properties":[]}',
    b'{"device_id":"unknown","groups":{}}',
    b'{"user_id":"user-1","user_properties":{"x":1e999}}',
    b'{"user_id":"user-1","user_properties":null,"groups":{"org":"acme"}}',
)


@given(st.lists(st.sampled_from(UPDATES), max_size=5), st.integers(0, AT_ONCE))
def test_updates_that_are_read_at_once_are_what_each_is_alone(odd: list[bytes], good: int) -> None:
    usual = [b'{"user_id":"user-%d","user_properties":{"a":1}}' % n for n in range(good)]
    values = [*odd, *usual, *odd]
    assert list(read_identifications(values)) == [read_identification(value) for value in values]


GROUPS = (
    *ODD,
    b'{"group_type":"org"}',
    b'{"group_type":"","group_value":"acme","group_properties":{}}',
    b'{"group_type":"org","group_value":"","group_properties":{}}',
    b'{"group_type":"org","group_value":7,"group_properties":[]}',
    b'{"group_type":"org","group_value":7,"group_properties":null}',
    b'{"group_type":"org","group_value":"acme","group_properties":{"x":1e999}}',
    b'{"group_type":"org","group_value":"%b","group_properties":{}}' % (b"a" * ID_CHARACTERS_MAX),
)


@given(st.lists(st.sampled_from(GROUPS), max_size=5), st.integers(0, AT_ONCE))
def test_groups_that_are_read_at_once_are_what_each_is_alone(odd: list[bytes], good: int) -> None:
    usual = b'{"group_type":"org","group_value":%d,"group_properties":{"a":1}}'
    values = [*odd, *[usual % n for n in range(good)], *odd]
    read = [read_group_identification(value) for value in values]
    assert list(read_group_identifications(values)) == read


USUAL_ID = "a-user@example.org"
SPACES = st.sampled_from(["", " ", "\u2003"])
IDS = st.sampled_from(
    [USUAL_ID, "short", "a" * ID_CHARACTERS_MAX, "a" * (ID_CHARACTERS_MAX + 1), *INVALID_IDS]
)
TYPES = st.sampled_from(["", "a", "$groupidentify"])
UNUSUAL = st.fixed_dictionaries(
    {},
    optional={
        "event_type": st.none() | st.builds("{}{}".format, SPACES, TYPES),
        "user_id": st.none() | st.builds("{}{}".format, SPACES, IDS),
        "device_id": st.none() | st.builds("{}{}".format, SPACES, IDS),
        "groups": st.sampled_from([None, {}, {"org": "acme"}, "acme"]),
    },
)


@examples(500)
@given(UNUSUAL)
@example({"user_id": "a" * (ID_CHARACTERS_MAX + 1)})
@example({"device_id": INVALID_LONG})
def test_an_event_with_an_unusual_type_id_or_group_is_what_it_is_alone(
    members: dict[str, object],
) -> None:
    usual = event(user_id=USUAL_ID, device_id=USUAL_ID)
    unusual = event(**{"user_id": USUAL_ID, "device_id": USUAL_ID} | members)

    assert list(read_events([usual, unusual])) == [read_event(usual), read_event(unusual)]


PROPERTIES: list[object] = [None, {}, [], "a"]
UNUSUAL_UPDATES = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.none() | st.builds("{}{}".format, SPACES, IDS),
        "device_id": st.none() | st.builds("{}{}".format, SPACES, IDS),
        "user_properties": st.sampled_from(PROPERTIES),
        "groups": st.sampled_from([None, {}, {"org": "acme"}, "acme"]),
    },
)


@examples(500)
@given(UNUSUAL_UPDATES, st.sampled_from(["", "user_id", "user_properties"]))
@example({"user_id": "a" * (ID_CHARACTERS_MAX + 1)}, "")
@example({"device_id": INVALID_LONG}, "")
def test_an_update_with_an_unusual_id_or_member_is_what_it_is_alone(
    members: dict[str, object], gone: str
) -> None:
    usual = {"user_id": USUAL_ID, "device_id": USUAL_ID, "user_properties": {}}
    unusual = {name: it for name, it in (usual | members).items() if name != gone}
    values = [json.dumps(one).encode() for one in (usual, unusual)]

    assert list(read_identifications(values)) == [read_identification(value) for value in values]


TOGETHER_ODD = [
    event(text="x" * 40_000),
    nested(LEVELS_MAX),
    nested(LEVELS_MAX + 1),
    b'{"event_type":"a","user_id":"u1","x":1e999}',
    b'{"event_type":"a","user_id":"u1","x":123456789012345678901}',
    b"",
    # With a comma between them these are JSON, and the second hides what is in a third.
    b'{"event_type":"a","user_id":"u1"},{"x":"',
    b'","event_type":"a","user_id":"u1"}',
    b'"},{"user_id":"u1"',
]


@examples(300)
@given(st.lists(st.sampled_from(TOGETHER_ODD), max_size=8), st.integers(0, 120))
def test_what_is_no_json_changes_nothing_of_what_is_read_with_it(odd: list[bytes], n: int) -> None:
    values = [event(number=number) for number in range(n)] + odd
    assert list(read_events(values)) == [read_event(value) for value in values]
    assert list(read_events(values[::-1])) == [read_event(value) for value in values[::-1]]


def test_no_text_that_is_not_json_hides_a_defect_of_the_next_one() -> None:
    opens, closes = b'{"event_type":"a","user_id":"u1","x":"', b'"}'
    values = [opens, b'{"event_type":"a","user_id":"u1","y":1e999}', closes]

    assert [one.reason for one in read_events(values) if isinstance(one, Defect)] == [
        "not_json",
        "number_out_of_range",
        "not_json",
    ]
