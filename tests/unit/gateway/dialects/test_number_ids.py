"""An id that is a number is taken where old clients send it, and nowhere else."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.unit.gateway.calls import Reply, call

EVENT = {"event_type": "a", "user_id": "user-1", "time": 1, "insert_id": "i"}


def first_api(*events: object) -> Reply:
    return call("/httpapi", urlencode({"api_key": "k", "event": json.dumps(events)}).encode())


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({"user_id": 1234567}, {"user_id": "1234567"}),  # As the gem amplitude-api writes ids.
        ({"user_id": 12345678901234567890}, {"user_id": "12345678901234567890"}),
        ({"user_id": 7}, {"user_id": "7"}),
        ({"user_id": None, "device_id": 98765}, {"device_id": "98765"}),
    ],
)
def test_its_digits_are_the_id(given: dict[str, Any], stored: dict[str, Any]) -> None:
    reply = first_api(EVENT, EVENT | given, EVENT)
    assert reply.values[1] == EVENT | given | stored | {"ip": "9.9.9.9"}
    assert reply.keys[1] == (stored.get("user_id") or stored["device_id"]).encode()
    assert [reply.values[0], reply.values[2]] == [EVENT | {"ip": "9.9.9.9"}] * 2


@pytest.mark.parametrize(
    "given",
    [
        *({"user_id": wrong} for wrong in (1.5, True, [12345], 0, -1)),
        {"user_id": 12345, "time": "2026"},
        {"user_id": 12345, "session_id": "1767225600000"},
    ],
)
def test_what_else_is_wrong_is_refused(given: dict[str, Any]) -> None:
    assert first_api(EVENT, EVENT | given).status == 400


@pytest.mark.parametrize("path", ["/2/httpapi", "/batch"])
def test_the_later_version_names_it(path: str) -> None:
    """amplitude.md#event: it is a text."""
    reply = call(path, {"api_key": "k", "events": [EVENT, EVENT | {"user_id": 12345}]})
    assert reply.status == 400
    assert reply.json["events_with_invalid_fields"] == {"user_id": [1]}
