"""What Aampe's answers mean, and what of a record it gets to see."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from consumers.delivery.destination import Encoded, Response
from consumers.delivery.outcomes import Delivered, Outcome, Pause, Reject, Retry, Skip
from consumers.destinations.aampe import AampeEvents, AampeProperties
from schemas.config import AampeDestination
from tests.simulation.world import Kept

SECRET = SecretStr("key")
CONFIG = AampeDestination(type="aampe", name="a", api_key=SECRET, region="us-east1")
EVENTS, PROPERTIES = AampeEvents(CONFIG), AampeProperties(CONFIG)
BATCH = [Encoded(b"{}", "u", "u", None, "/v1/events")]


@pytest.mark.parametrize(
    ("status", "rest"),
    [
        (202, Delivered()),
        (200, Delivered()),
        (302, Pause("status_302")),
        (400, Reject("rejected", "why")),
        (401, Pause("status_401")),
        (404, Pause("status_404")),
        (413, Reject("rejected", "why")),
        (422, Reject("invalid_field", "why")),
        (429, Retry("throttled", 5.0)),
        (529, Retry("status_529", None)),
    ],
)
def test_an_answer_names_who_is_to_blame(status: int, rest: Outcome) -> None:
    assert EVENTS.verdict(Response(status, b"why"), BATCH).rest == rest


@given(st.integers(100, 999), st.binary(max_size=200))
def test_any_answer_has_a_verdict(status: int, body: bytes) -> None:
    assert not EVENTS.verdict(Response(status, body), BATCH).but


def record(value: bytes | None, key: bytes = b"u") -> Kept:
    return Kept("events", 0, 5, key, value, "", timestamp=1500)


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (None, Reject("tombstone")),
        (b'{"event_type":"e","device_id":"u"}', Skip("no_user_id")),
        (b'{"event_type":"$identify","user_id":"u"}', Skip("unsupported_operation")),
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


def test_properties_are_those_that_are_set() -> None:
    value = b'{"user_id":"u","user_properties":{"$set":{"a":1},"b":2,"$add":{"c":3}}}'
    encoded = PROPERTIES.encode(record(value))
    assert isinstance(encoded, Encoded)
    assert encoded.path == "/v1/properties"
    assert orjson.loads(encoded.body)["user_properties"] == {"a": 1, "b": 2}
