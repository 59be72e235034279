"""What Amplitude takes beside the documented types becomes a record of the documented ones."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.unit.gateway.calls import NOW_MS, Reply, call

EVENT = {"event_type": "a", "user_id": "user-1", "time": 1, "insert_id": "i"}


def upload(*events: object, **more: object) -> Reply:
    return call("/2/httpapi", {"api_key": "k", "events": events} | more)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"user_id": 1234567}, {"user_id": "1234567"}),  # As the gem amplitude-api writes ids.
        ({"user_id": 12345678901234567890}, {"user_id": "12345678901234567890"}),
        ({"user_id": None, "device_id": 98765}, {"device_id": "98765"}),
        ({"session_id": "1767225600000"}, {"session_id": 1767225600000}),  # As Zaraz does.
        ({"session_id": "-1"}, {"session_id": -1}),
        ({"user_id": 12345, "session_id": "7"}, {"user_id": "12345", "session_id": 7}),
    ],
)
def test_an_id_may_be_a_number_and_a_session_a_text(
    given: dict[str, Any], stored: dict[str, Any]
) -> None:
    reply = upload(EVENT, EVENT | given, EVENT)
    assert reply.values[1] == EVENT | given | stored | {"ip": "9.9.9.9"}
    assert reply.keys[1] == (stored.get("user_id") or stored.get("device_id", "user-1")).encode()
    assert [reply.values[0], reply.values[2]] == [EVENT | {"ip": "9.9.9.9"}] * 2


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"user_id": 1.5}, "user_id"),
        ({"user_id": True}, "user_id"),
        ({"user_id": [12345]}, "user_id"),
        ({"user_id": 0}, "user_id"),
        ({"user_id": -1}, "user_id"),
        ({"user_id": 123}, "user_id"),
        ({"session_id": "today"}, "session_id"),
        ({"session_id": "01"}, "session_id"),
        ({"session_id": ""}, "session_id"),
        ({"user_id": 12345, "time": "2026"}, "time"),
    ],
)
def test_other_types_are_named(given: dict[str, Any], field: str) -> None:
    reply = upload(EVENT, EVENT | given)
    assert reply.status == 400
    assert reply.json["events_with_invalid_fields"] == {field: [1]}


def test_a_short_number_is_a_short_id() -> None:
    reply = upload(EVENT | {"user_id": 123})
    assert reply.json["events_with_invalid_id_lengths"] == {"user_id": [0]}
    assert upload(EVENT | {"user_id": 123}, options={"min_id_length": 1}).keys == [b"123"]


def test_its_time_is_moved_like_that_of_others() -> None:
    event = EVENT | {"user_id": 12345, "time": NOW_MS - 3_600_000}
    (value,) = upload(event, client_upload_time="2027-01-15T07:00:00.000Z").values
    assert (value["user_id"], value["time"]) == ("12345", NOW_MS)


@pytest.mark.parametrize(
    ("path", "member"), [("/httpapi", "event"), ("/identify", "identification")]
)
def test_so_it_is_in_a_form(path: str, member: str) -> None:
    record = EVENT | {"user_id": 12345, "user_properties": {"$set": {"a": 1}}}
    reply = call(path, urlencode({"api_key": "k", member: json.dumps([record, record])}).encode())
    assert reply.keys == [b"12345"] * 2
    assert [value["user_id"] for value in reply.values] == ["12345"] * 2
