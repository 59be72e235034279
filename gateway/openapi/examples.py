"""A request of each path that succeeds as it stands, with the write key of `ampgate dev`. Pure."""

import json
from collections.abc import Mapping
from typing import Any, Final

Tree = dict[str, Any]
KEY: Final = "dev"

_EVENT: Final[Tree] = {
    "event_type": "Order Completed",
    "user_id": "ann@example.org",
    "event_properties": {"total": 42.5, "currency": "EUR"},
}
_PROPERTIES: Final[Tree] = {
    "user_id": "ann@example.org",
    "user_properties": {"$set": {"plan": "pro"}, "$add": {"orders": 1}},
}
_GROUP: Final[Tree] = {
    "group_type": "company",
    "group_value": "Example Ltd",
    "group_properties": {"$set": {"seats": 12}},
}
_UPLOAD: Final[Tree] = {"api_key": KEY, "events": [_EVENT]}
_LEGACY_EVENT: Final[Tree] = {
    "event_type": "Order Completed",
    "user_id": "ann@example.org",
    "device_id": "a-browser",
    "event_properties": {"total": 42.5},
}
_CALL: Final[Tree] = {"userId": "ann@example.org", "writeKey": KEY}
_TRACK: Final[Tree] = {
    "type": "track",
    "event": "Order Completed",
    "userId": "ann@example.org",
    "properties": {"total": 42.5, "currency": "EUR"},
}
_SEGMENT: Final[Mapping[str, Tree]] = {
    "track": _TRACK | _CALL,
    "identify": {"traits": {"plan": "pro"}} | _CALL,
    "group": {"groupId": "example-ltd", "traits": {"seats": 12}} | _CALL,
    "page": {"name": "Checkout", "properties": {"path": "/checkout"}} | _CALL,
    "screen": {"name": "Checkout"} | _CALL,
    "alias": {"previousId": "a-visitor"} | _CALL,
    "batch": {"batch": [_TRACK], "writeKey": KEY},
}
_AAMPE: Final[Tree] = {"contact_id": "ann@example.org", "timestamp": 1767225600.5}
_BODIES: Final[Mapping[str, Tree]] = {
    "/v1/events": _EVENT,
    "/v1/user-properties": _PROPERTIES,
    "/v1/group-properties": _GROUP,
    "/2/httpapi": _UPLOAD,
    "/batch": _UPLOAD,
    "/identify": {"api_key": KEY, "identification": json.dumps(_PROPERTIES)},
    "/groupidentify": {"api_key": KEY, "identification": json.dumps(_GROUP)},
    "/": {"client": KEY, "e": json.dumps([_LEGACY_EVENT]), "v": "2"},
    "/aampe/v1/events": _AAMPE | {"event_name": "Order Completed", "metadata": {"total": 42.5}},
    "/aampe/v1/properties": _AAMPE | {"user_properties": {"plan": "pro"}},
    "/webhooks/amplemarket/{key}": {
        "id": "reply-1",
        "is_reply": True,
        "labels": ["interested"],
        "dynamic_fields": {"email": "ann@example.org"},
    },
}


def body_example(path: str, call: str | None) -> Tree:
    """Of a Segment path, the example of its `call`."""
    return _BODIES[path] if call is None else _SEGMENT[call]
