"""Calls of Segment's dialect, and what becomes of them."""

import json
from typing import Any

from tests.unit.gateway.calls import Reply, basic, call

TRACK = {
    "type": "track",
    "event": "Signed Up",
    "userId": "u",
    "anonymousId": "a",
    "messageId": "m",
    "timestamp": "2026-01-01T00:00:00.000Z",
    "properties": {"plan": "pro"},
}

PHONE = {"context": {"device": {"id": "phone", "type": "ios"}, "traits": {"a": 1}}}
BROWSER = {"context": {"campaign": {"source": "s"}, "ip": "$remote", "sessionId": 7}}
CALLS = [
    TRACK,
    TRACK | PHONE,
    TRACK | PHONE | {"event": "$groupidentify", "channel": "web", "session_id": 5},
    TRACK | PHONE | {"type": "identify", "integrations": {"Amplitude": {"session_id": 6}}},
    TRACK | BROWSER,
    TRACK | BROWSER | {"integrations": {"All": False}},
    TRACK | {"context": 7},
    TRACK | {"type": "identify", "traits": {"a": json.loads("[" * 38 + "]" * 38)}},
    TRACK | {"type": "identify", "traits": {"a": json.loads("[" * 39 + "]" * 39)}},
    TRACK | {"event": " "},
    TRACK | {"userId": None, "anonymousId": ""},
    TRACK | {"messageId": "n", "integrations": {"Amplitude": False}},
    TRACK | {"integrations": {"Amplitude": {"groups": {"org": "a"}, "event_id": 3}}},
    TRACK | {"type": "identify", "integrations": {"Amplitude": {"fieldsToUnset": ["a"]}}},
    TRACK | {"type": "page", "name": "Home", "context": {"traits": {"plan": "pro"}}},
    TRACK | {"type": "group", "groupId": "g"},
    TRACK | {"event": "Order Completed", "properties": {"products": [{"a": 1}, {"b": 2}]}},
    TRACK | {"properties": {"a": json.loads("[" * 50 + "]" * 50)}},
    TRACK | {"userId": "anonymous"},
    TRACK | {"userId": {}},
    TRACK | {"type": "alias"},
    7,
]


def one(**members: Any) -> dict[str, Any]:  # noqa: ANN401
    """The event that a track call with these members becomes."""
    (value,) = batch(TRACK | members).values
    return value


def batch(*calls: Any, **shared: Any) -> Reply:  # noqa: ANN401
    return call("/segment/v1/batch", {"batch": list(calls), **shared}, basic("k"))
