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
    if size := tree_bytes(text):
        context.room.fill(size)
    return orjson.loads(text)


def tree_bytes(text: bytes) -> int:
    """The most that all values of this text can take; 0 for a short text."""
    if len(text) <= SMALL_BYTES:
        return 0
    containers = _OBJECT * text.count(b"{") + _ARRAY * text.count(b"[")
    return containers + _FURTHER * text.count(b",")


def room_for_members(text: bytes, context: Context) -> AbstractContextManager[None]:
    """The most that an object of this text can take, for as long as it is taken apart."""
    size = members_bytes(text)
    return context.room.lend(size) if size else _NONE


def members_bytes(text: bytes) -> int:
    """The most that the members of an object of this text can take; 0 for a short text."""
    return min(parts_bytes(text), _MEMBER * text.count(b":")) if len(text) > SMALL_BYTES else 0


def parts_bytes(text: bytes) -> int:
    """The same, if the elements of its lists are taken apart, too."""
    return _MEMBER * text.count(b",") if len(text) > SMALL_BYTES else 0
