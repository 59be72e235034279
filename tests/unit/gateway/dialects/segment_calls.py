"""Calls of Segment's dialect, and what becomes of them."""

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


def one(**members: Any) -> dict[str, Any]:  # noqa: ANN401
    """The event that a track call with these members becomes."""
    (value,) = batch(TRACK | members).values
    return value


def batch(*calls: Any, **shared: Any) -> Reply:  # noqa: ANN401
    return call("/segment/v1/batch", {"batch": list(calls), **shared}, basic("k"))
