"""What Amplitude's answers mean, and which records it never gets to see."""

from urllib.parse import quote_plus, unquote_to_bytes

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from consumers.delivery.destination import Encoded, Response
from consumers.delivery.outcomes import Delivered as Done
from consumers.delivery.outcomes import Hold, Id, Outcome, Pause, Reject, Resend, Retry, Split
from consumers.destinations.amplitude.events import AmplitudeEvents
from consumers.destinations.amplitude.forms import (
    BYTES_MAX,
    AmplitudeGroupIdentify,
    AmplitudeIdentify,
    quoted,
)
from schemas.vendors.amplitude import AmplitudeDestination
from tests.simulation.log import Kept

CONFIG = AmplitudeDestination(type="amplitude", name="a", api_key=SecretStr("key"), gzip=False)
EVENTS = AmplitudeEvents(CONFIG)
BATCH = [Encoded(b"{}", f"u{n}", f"u{n}", f"d{n}") for n in range(3)]
THROTTLED = Hold(30.0, "throttled")
PAGES = st.sampled_from(
    [
        *(b"<!DOCTYPE html><title>Sign in</title>", b"  <html>success", b'{"code":500}', b"null"),
        *(b'{"code":2e2}', b'{"code":[200]}', b"200", b'"success"', b'{"success":true}', b"{"),
        *(b"[" * 5000, b'{"a":' * 5000, b"\x1f\x8b\x08", b'{"code":' + b"9" * 5000 + b"}"),
    ]
)
QUOTA = Hold(0.0, "daily_quota", step_seconds=3600.0)


@pytest.mark.parametrize(
    ("status", "body", "rest"),
    [
        (200, b'{"code":200}', Done),
        (202, b'{"code":200,"events_ingested":3}', Done),
        (200, b"", Pause),
        (200, b'{"code":"200"}', Pause),
        (200, b'{"code":500}', Pause),
        (200, b'{"code":true}', Pause),
        (200, b'[{"code":200}]', Pause),
        (200, b"<html>Sign in</html>", Pause),
        (200, b'\xef\xbb\xbf{"code":200}', Pause),
        (200, b'{"code":200', Pause),  # Cut at 1 MB, or by a proxy.
        (200, b"success", Pause),
        (204, b"", Pause),
        (301, b"", Pause),
        (400, b"<html>", Pause),
        (400, b"", Pause),
        (400, b"{}", Pause),
        (400, b'{"message":"Bad Request"}', Pause),
        (400, b'{"status":400,"error":"Bad Request"}', Pause),
        (400, b'{"code":400,"error":"Invalid event JSON"}', Split),
        (400, b'{"code":400,"message":"Bad Request"}', Pause),
        (400, b'{"code":200,"events_ingested":2}', Pause),
        (400, b'{"code":1020,"error":"Access denied"}', Pause),
        (400, b'{"code":400,"error":"Invalid request path"}', Pause),
        (400, b'{"code":400,"error":"x","missing_field":"events"}', Pause),
        (400, b'{"error":"Invalid API key: key"}', Pause),
        (400, b'{"error":"Request missing required field","missing_field":"api_key"}', Pause),
        (400, b'{"events_with_invalid_fields":{"time":[0]}}', Resend),
        (400, b'{"events_with_invalid_fields":{"time":[3,-1]}}', Split),
        (400, b'{"events_with_invalid_fields":[0]}', Split),
        (401, b"", Pause),
        (403, b"<html>", Pause),
        (404, b"", Pause),
        (413, b"", Split),
        (402, b"", Pause),
        (407, b"<html>", Pause),
        (410, b"", Pause),
        (418, b"", Pause),
        (421, b"", Pause),
        (422, b"{}", Pause),
        (451, b"", Pause),
        (100, b"", Retry),
        (199, b"", Retry),
        (429, b"", Retry),
        (429, b'{"throttled_events":[7]}', Retry),
        (429, b'{"throttled_events":[1]}', Resend),
        (429, b"\xff\xfe", Retry),
        (529, b"", Retry),
        (600, b"", Retry),
    ],
)
def test_an_answer_names_who_is_to_blame(status: int, body: bytes, rest: type[Outcome]) -> None:
    assert isinstance(EVENTS.verdict(Response(status, body), BATCH).rest, rest)


def test_a_rejected_event_is_named_by_its_field_and_the_others_go_again() -> None:
    body = {
        "events_with_invalid_fields": {"time": [0, 9]},
        "events_with_missing_fields": {"event_type": [1, -1]},
        "silenced_events": [0, 2],
    }
    verdict = EVENTS.verdict(Response(400, orjson.dumps(body)), BATCH)
    assert verdict.rest == Resend()
    reasons = {index: one.reason for index, one in verdict.but.items() if isinstance(one, Reject)}
    assert reasons == {0: "invalid_field", 1: "missing_field", 2: "silenced"}


def test_named_users_and_devices_are_held_whether_or_not_they_are_in_the_request() -> None:
    body = {
        "throttled_users": {"u0": 31, "stranger": 31},
        "throttled_devices": {"d1": 31},
        "exceeded_daily_quota_users": {"u0": 500_001},
        "throttled_events": [0, 1, 2],
    }
    verdict = EVENTS.verdict(Response(429, orjson.dumps(body)), BATCH)
    assert verdict.holds == {
        Id("user", "u0"): QUOTA,
        Id("user", "stranger"): THROTTLED,
        Id("device", "d1"): THROTTLED,
    }
    assert verdict.but == {0: Resend(), 1: Resend(), 2: THROTTLED}


@pytest.mark.parametrize(("told", "waits"), [(None, 30.0), (2.0, 2.0)])
def test_a_nameless_429_waits_as_long_as_it_says(told: float | None, waits: float) -> None:
    assert EVENTS.verdict(Response(429, b"", told), BATCH).rest == Retry("throttled", waits)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (b"u", None, "tombstone"),
        (b"u", b"{", "not_json"),
        (b"u", b"[]", "not_an_object"),
        (b"u", b'{"user_id":"u"}', "missing_event_type"),
        (b"u", b'{"event_type":" ","user_id":"u"}', "invalid_event_type"),
        (b"u", b'{"event_type":"e","user_id":"u","time":"noon"}', "invalid_type"),
        (b"u", b'{"event_type":"e","user_id":7}', "invalid_type"),
        (b"v", b'{"event_type":"e","user_id":"u"}', "wrong_key"),
    ],
)
def test_what_is_no_event_is_rejected_unsent(key: bytes, value: bytes | None, reason: str) -> None:
    encoded = EVENTS.encode(Kept("events", 0, 5, key, value, ""))
    assert isinstance(encoded, Reject)
    assert encoded.reason == reason


@pytest.mark.parametrize("insert_id", [b"null", b'""'])
def test_what_a_producer_left_out_is_the_same_on_every_redelivery(insert_id: bytes) -> None:
    value = b'{"event_type":"e","device_id":"d","insert_id":%b}' % insert_id
    encoded = EVENTS.encode(Kept("events", 0, 5, b"d", value, "", timestamp=17))
    assert isinstance(encoded, Encoded)
    assert (encoded.key, encoded.user_id, encoded.device_id) == ("d", None, "d")
    members = orjson.loads(encoded.body)
    assert (members["insert_id"], members["time"]) == ("events/0/5", 17)


@pytest.mark.parametrize("destination", [AmplitudeIdentify(CONFIG), AmplitudeGroupIdentify(CONFIG)])
@pytest.mark.parametrize(
    ("status", "body", "rest"),
    [
        (200, b"success", Done),
        (200, b"Success\n", Done),
        (200, b'{"code":200}', Done),
        (200, b"", Pause),
        (200, b"<html>success</html>", Pause),
        (200, b'{"code":500}', Pause),
        (204, b"", Pause),
        (400, b"missing_event", Split),
        (400, b"invalid_event_field: time", Split),
        (400, b"invalid_api_key", Pause),
        (400, b"Invalid API key: key", Pause),
        (400, b"<html>", Pause),
        (400, b"400 Bad Request", Pause),
        (400, b"", Pause),
        (402, b"", Pause),
        (407, b"", Pause),
        (413, b"", Split),
        (414, b"", Split),
        (429, b"<html>", Hold),
        (600, b"", Retry),
    ],
)
def test_an_answer_to_a_form_names_who_is_to_blame(
    destination: AmplitudeIdentify, status: int, body: bytes, rest: type[Outcome]
) -> None:
    assert isinstance(destination.verdict(Response(status, body), BATCH).rest, rest)


@pytest.mark.parametrize(
    "destination", [EVENTS, AmplitudeIdentify(CONFIG), AmplitudeGroupIdentify(CONFIG)]
)
@pytest.mark.parametrize(
    ("body", "size", "rest"),
    [
        (b'{"code":413,"error":"Payload too large"}', 300, Split),
        (b"<html>413 Request Entity Too Large", 20_000, Split),
        (b"<html>413 Request Entity Too Large", 300, Pause),
        (b"", 300, Pause),
    ],
)
def test_a_413_for_a_small_record_alone_is_a_proxys(
    destination: AmplitudeEvents, body: bytes, size: int, rest: type[Outcome]
) -> None:
    alone = [Encoded(b"x" * size, "u", "u", None)]
    assert isinstance(destination.verdict(Response(413, body), alone).rest, rest)


@given(st.integers(100, 999), st.binary(max_size=200) | PAGES)
def test_nothing_is_delivered_that_amplitude_did_not_say_it_took(status: int, body: bytes) -> None:
    """No bytes but its own success are a success, and no page makes a dead letter."""
    for destination in (EVENTS, AmplitudeIdentify(CONFIG), AmplitudeGroupIdentify(CONFIG)):
        verdict = destination.verdict(Response(status, body), BATCH)
        assert not isinstance(verdict.rest, Done)
        assert not verdict.but
        if body.lstrip().startswith(b"<") and status not in (413, 414):
            assert isinstance(verdict.rest, Pause | Retry | Hold)


names = st.sampled_from(
    ["throttled_events", "silenced_events", "events_with_invalid_fields", "throttled_users"]
)
indexes = st.lists(st.integers(-3, 5))
values = indexes | st.dictionaries(st.sampled_from(["u0", "time"]), indexes)


@given(st.integers(100, 999), st.binary(max_size=200))
def test_any_answer_has_a_verdict(status: int, body: bytes) -> None:
    for destination in (EVENTS, AmplitudeIdentify(CONFIG), AmplitudeGroupIdentify(CONFIG)):
        verdict = destination.verdict(Response(status, body), BATCH)
        assert set(verdict.but) <= {0, 1, 2}


@given(
    st.sampled_from([400, 429]),
    st.dictionaries(names, values),
)
def test_only_events_that_were_sent_are_named(status: int, body: dict[str, object]) -> None:
    verdict = EVENTS.verdict(Response(status, orjson.dumps(body)), BATCH)
    assert set(verdict.but) <= {0, 1, 2}


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_a_form_is_quoted_as_the_standard_library_does(text: bytes) -> None:
    assert quoted(text) == quote_plus(text).encode()


def test_a_long_form_reads_as_what_it_was() -> None:
    text = bytes(range(256)) * (BYTES_MAX // 256 + 1)
    assert unquote_to_bytes(quoted(text)) == text
