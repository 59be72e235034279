"""The memory of a fully parsed JSON text, which is far larger than the text.

Measured with orjson on CPython 3.11, at most: an object and its first member 200 bytes, an array
64, a further value with its name 60, a member that stays text 250.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import orjson

from gateway.dialects.shapes import Context

SMALL_BYTES = 32_000  # Not checked: 1.2 MB at most.
_OBJECT, _ARRAY, _FURTHER, _MEMBER = 200, 64, 60, 250
_NONE: Final = nullcontext()


def tree_of(text: bytes, context: Context) -> Any:  # noqa: ANN401  JSON is anything.
    """Its values, if the budget has room for them."""
    if len(text) > SMALL_BYTES:
        containers = _OBJECT * text.count(b"{") + _ARRAY * text.count(b"[")
        context.room.fill(containers + _FURTHER * text.count(b","))
    return orjson.loads(text)


def room_for_members(text: bytes, context: Context) -> AbstractContextManager[None]:
    """The most that an object of this text can take, for as long as it is taken apart."""
    size = members_bytes(text)
    return context.room.lend(size) if size else _NONE


def members_bytes(text: bytes) -> int:
    """The most that the members of an object of this text can take; 0 for a short text."""
    return _MEMBER * text.count(b",") if len(text) > SMALL_BYTES else 0
