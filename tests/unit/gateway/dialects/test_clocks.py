"""A sender of Amplitude's protocols whose clock is off: its events happened at our times."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.unit.gateway.calls import NOW_MS, Reply, call

HOUR = 3_600_000
ON_TIME = "2027-01-15T08:00:00.000Z"  # NOW_MS
HOUR_LATE = "2027-01-15T07:00:00.000Z"
DAY_EARLY = "2027-01-16T08:00:00.000Z"
EVENT = {"event_type": "a", "user_id": "user-1", "time": NOW_MS - 2 * HOUR, "insert_id": "i"}


def upload(*events: object, **more: object) -> Reply:
    return call("/2/httpapi", {"api_key": "k", "events": events} | more)


def form(*events: object, upload_time: object) -> Reply:
    members = {"client": "k", "e": json.dumps(events), "upload_time": upload_time, "v": "2"}
    return call("/", urlencode(members).encode())


@pytest.mark.parametrize(
    ("sent", "moved"),
    [
        (ON_TIME, 0),
        (HOUR_LATE, HOUR),
        ("2027-01-15T09:00:00+02:00", HOUR),
        (DAY_EARLY, -24 * HOUR),
        ("2027-01-15T07:59:00.000Z", 0),  # A minute may be latency.
        ("2027-01-15T07:58:59.999Z", 60_001),
        (NOW_MS - HOUR, HOUR),
        ("1970-01-01T00:00:00.000Z", NOW_MS),  # A device without a battery for its clock.
        ("yesterday", 0),
        (None, 0),
        ({"at": HOUR_LATE}, 0),
        ("2" * 200, 0),
    ],
)
def test_an_upload_says_how_far_its_clock_is_off(sent: object, moved: int) -> None:
    (value,) = upload(EVENT, client_upload_time=sent).values
    assert value == EVENT | {"time": NOW_MS - 2 * HOUR + moved, "ip": "9.9.9.9"}


def test_each_event_of_an_upload_keeps_its_distance_to_the_others() -> None:
    events = [EVENT | {"time": NOW_MS - HOUR - number} for number in range(3)]
    values = upload(*events, client_upload_time=HOUR_LATE).values
    assert [value["time"] for value in values] == [NOW_MS, NOW_MS - 1, NOW_MS - 2]


def test_an_event_without_a_time_happened_when_it_came() -> None:
    (value,) = upload(EVENT | {"time": None}, client_upload_time=HOUR_LATE).values
    assert value["time"] == NOW_MS


def test_a_time_of_a_property_is_not_moved() -> None:
    event = EVENT | {"event_properties": {"time": 5}, "session_id": 7}
    (value,) = upload(event, client_upload_time=HOUR_LATE).values
    assert (value["event_properties"], value["session_id"]) == ({"time": 5}, 7)


@pytest.mark.parametrize("time", [HOUR, 2**53])
def test_a_time_that_would_be_none_any_more_stays(time: int) -> None:
    sent = "1970-01-01T00:00:00Z" if time > NOW_MS else "2999-01-01T00:00:00Z"
    (value,) = upload(EVENT | {"time": time}, client_upload_time=sent).values
    assert value["time"] == time


def test_a_bad_event_is_named_whatever_the_clock() -> None:
    reply = upload(EVENT, EVENT | {"user_id": "abc"}, client_upload_time=HOUR_LATE)
    assert reply.json["events_with_invalid_id_lengths"] == {"user_id": [1]}


@pytest.mark.parametrize(
    ("sent", "moved"),
    [(NOW_MS, 0), (NOW_MS - HOUR, HOUR), (NOW_MS + HOUR, -HOUR), ("soon", 0), ("", 0)],
)
def test_an_older_sdk_says_so_in_its_form(sent: object, moved: int) -> None:
    happened: dict[str, Any] = {"event_type": "a", "device_id": "d", "timestamp": NOW_MS - HOUR}
    bad: dict[str, Any] = {"event_type": " ", "device_id": "d"}
    reply = form(bad, happened, 7, happened, upload_time=sent)
    assert [value["time"] for value in reply.values] == [NOW_MS - HOUR + moved] * 2
    assert reply.reasons == ["invalid_event_type", "not_an_object"]
