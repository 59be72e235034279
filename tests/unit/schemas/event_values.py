"""Values of events, usable and not."""

import json


def event(**members: object) -> bytes:
    return json.dumps({"event_type": "a", "user_id": "u1", **members}).encode()


def nested(levels: int) -> bytes:
    """An event whose properties are `levels` deep."""
    arrays = levels - 1
    deep = b'{"x":' + b"[" * arrays + b"]" * arrays + b"}"
    return b'{"event_type":"a","user_id":"u1","event_properties":%s}' % deep
