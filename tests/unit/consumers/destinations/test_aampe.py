"""How a record becomes a request to Aampe."""

import json
from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.lab.simulators.aampe import Aampe
from ampgate.lab.simulators.model import Request
from consumers.delivery.destination import Encoded
from consumers.delivery.outcomes import Outcome, Reject, Skip
from consumers.destinations.aampe.events import AampeEvents, AampeProperties
from tests.simulation.log import Kept
from tests.unit.consumers.destinations.aampe_records import CONFIG, EVENTS, PROPERTIES


def record(value: bytes | None, key: bytes = b"u") -> Kept:
    return Kept("events", 0, 5, key, value, "", timestamp=1500)


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (None, Reject("tombstone")),
        (b'{"event_type":"e","device_id":"u"}', Skip("no_user_id")),
        (b'{"event_type":"$identify","user_id":"u"}', Skip("no_user_properties")),
        (
            b'{"event_type":"$identify","user_id":"u","user_properties":{"$add":{"n":1},"$unset":{}}}',
            Skip("unsupported_operation"),
        ),
        (b'{"event_type":"$groupidentify","user_id":"u"}', Skip("group_properties")),
    ],
)
def test_what_aampe_has_no_use_for_is_not_sent(value: bytes | None, outcome: Outcome) -> None:
    assert EVENTS.encode(record(value)) == outcome


@pytest.mark.parametrize("value", [b"{", b'{"event_type":"e","user_id":"u","time":"noon"}'])
def test_what_is_no_event_is_rejected_unsent(value: bytes) -> None:
    assert isinstance(EVENTS.encode(record(value)), Reject)
    assert isinstance(PROPERTIES.encode(record(value)), Reject)


def test_an_event_is_told_in_aampes_words() -> None:
    encoded = EVENTS.encode(record(b'{"event_type":"e","user_id":"u","event_properties":{"a":1}}'))
    assert isinstance(encoded, Encoded)
    assert encoded.path == "/v1/events"
    assert orjson.loads(encoded.body) == {
        "contact_id": "u",
        "event_name": "e",
        "timestamp": 1.5,
        "event_id": "events/0/5",
        "metadata": {"a": 1},
    }


@pytest.mark.parametrize(
    ("properties", "kept", "left_out"),
    [
        ({"a": 1, "b": None}, {"a": 1, "b": None}, 0),
        ({"$set": {"a": 1}}, {"a": 1}, 0),
        ({"$set": {"a": 1}, "b": 2, "$add": {"c": 3}}, {"a": 1, "b": 2}, 1),
        (
            {"$set": {"a": {"$add": 1}}, "$unset": {"c": "-"}, "$clearAll": "-"},
            {"a": {"$add": 1}},
            2,
        ),
        ({"$set": "no object", "a": 1, "$setOnce": {"d": 1}}, {"a": 1}, 2),
    ],
)
def test_properties_are_those_that_are_set_and_the_rest_is_counted(
    properties: dict[str, object], kept: dict[str, object], left_out: int
) -> None:
    update = {"user_id": "u", "insert_id": "i", "time": 2250, "user_properties": properties}
    identify = {**update, "event_type": "$identify", "event_properties": {"ignored": True}}
    for destination, value in ((PROPERTIES, update), (EVENTS, identify)):
        encoded = destination.encode(record(json.dumps(value).encode()))
        assert isinstance(encoded, Encoded)
        assert (encoded.path, encoded.left_out) == ("/v1/properties", left_out)
        assert orjson.loads(encoded.body) == {
            "contact_id": "u",
            "timestamp": 2.25,
            "event_id": "i",
            "user_properties": kept,
        }


def sent(
    destination: AampeEvents | AampeProperties, value: Mapping[str, object]
) -> dict[str, object]:
    encoded = destination.encode(record(json.dumps(value).encode()))
    assert isinstance(encoded, Encoded)
    body: dict[str, object] = orjson.loads(encoded.body)
    return body


def test_the_context_that_is_asked_for_becomes_metadata() -> None:
    asked = CONFIG.model_copy(update={"metadata_fields": ("platform", "groups", "city")})
    value = {
        "event_type": "e",
        "user_id": "u",
        "platform": "Web",
        "groups": {"team": "a"},
        "event_properties": {"n": 1, "platform": "mine"},
        "user_properties": {"x": 1},
    }
    event = sent(AampeEvents(asked), value)
    assert event["metadata"] == {"platform": "mine", "groups": {"team": "a"}, "n": 1}
    update = sent(AampeProperties(asked), value)
    assert update["metadata"] == {"platform": "Web", "groups": {"team": "a"}}


@pytest.mark.parametrize(
    ("zone", "told"), [("Europe/Berlin", "Europe/Berlin"), ("", None), (None, None), (1, None)]
)
def test_the_timezone_is_told_if_it_is_one(zone: object, told: str | None) -> None:
    event = {"event_type": "e", "user_id": "u", "timezone": zone}
    assert sent(EVENTS, event).get("timezone") == told
    nested = {"event_type": "e", "user_id": "u", "event_properties": {"timezone": "x"}}
    assert "timezone" not in sent(EVENTS, nested)


@given(st.integers(-(10**15), 10**15))
def test_a_time_is_told_in_seconds_to_the_millisecond(time: int) -> None:
    assert (
        sent(EVENTS, {"event_type": "e", "user_id": "u", "time": time})["timestamp"] == time / 1000
    )


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OPERATION = st.sampled_from(["$set", "$setOnce", "$add", "$append", "$unset", "$clearAll", "$set "])
RECORDS = st.fixed_dictionaries(
    {"user_id": st.text(), "event_type": st.text() | st.sampled_from(["$identify", "e"])},
    optional={
        "time": st.integers(0, 10**13),
        "insert_id": st.text(),
        "timezone": JSON,
        "event_properties": JSON,
        "user_properties": st.dictionaries(st.text() | OPERATION, JSON) | JSON,
        "platform": JSON,
    },
)
ASKING = CONFIG.model_copy(update={"metadata_fields": ("platform", "timezone")})


@given(RECORDS)
def test_whatever_is_sent_is_what_aampe_takes(value: dict[str, object]) -> None:
    raw = json.dumps(value).encode()
    for destination in (EVENTS, PROPERTIES, AampeEvents(ASKING), AampeProperties(ASKING)):
        encoded = destination.encode(record(raw, key=str(value["user_id"]).encode()))
        if not isinstance(encoded, Encoded):
            continue
        request = destination.request([encoded])
        simulator = Aampe()
        answer = simulator.answer(
            Request("POST", request.path, "", request.headers, request.body), now=0.0
        )
        assert (answer.status, simulator.violations.first) == (202, [])
