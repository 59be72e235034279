"""What a function returned, as JSON, or why it is none. Pure."""

import json
import math
from typing import Any

import orjson

LEVELS_MAX = 40
_OPTIONS = (
    orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


class NotJsonError(ValueError):
    """A value that JSON does not have; the message says where."""


def written(event: dict[str, Any]) -> bytes:
    """The event as JSON; `NotJsonError` if a value of it has no place there.

    orjson writes a NaN as `null`, and refuses integers over 64 bits, which are JSON.
    """
    try:
        value = orjson.dumps(event, option=_OPTIONS)
        if b"null" not in value:
            return value
    except TypeError:
        value = b""
    if fault := _fault(event, "", LEVELS_MAX):
        raise NotJsonError(fault)
    return value or json.dumps(event).encode()


def _fault(value: object, path: str, levels: int) -> str | None:
    """The first value that JSON does not have."""
    match value:
        case None | bool() | int():
            return None
        case str():
            return None if _is_unicode(value) else f"{path} is no Unicode text"
        case float():
            return None if math.isfinite(value) else f"{path} is {value}"
        case dict() | list() | tuple() if not levels:
            return f"{path.split('.')[0]} is nested over {LEVELS_MAX} levels"
        case dict():
            for name, one in value.items():
                if not isinstance(name, str) or not _is_unicode(name):
                    return f"a key of {path or 'the event'} is no text: {name!r}"
                if fault := _fault(one, f"{path}.{name}" if path else name, levels - 1):
                    return fault
            return None
        case list() | tuple():
            faults = (_fault(one, f"{path}.{at}", levels - 1) for at, one in enumerate(value))
            return next(filter(None, faults), None)
        case _:
            return f"{path} is a {type(value).__name__}"


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text)
