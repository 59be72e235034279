"""Members of a type that Amplitude takes beside the documented one (amplitude.md#event): an id that
is a number, and a session that is a text. Pure.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

from gateway.dialects.shapes import Context
from gateway.dialects.trees import room_for_members
from schemas.strictness import Defect

# Of each member, what stands there instead, and how its record has it.
_NUMBER: Final = (re.compile(rb"(-?\d{1,20})"), rb'"\1"')
_TEXT: Final = (re.compile(rb'"(-1|[1-9]\d{0,15})"'), rb"\1")
_OTHERS: Final = {"user_id": _NUMBER, "device_id": _NUMBER, "session_id": _TEXT}
_object = msgspec.json.Decoder(dict[str, Raw])
_Read = TypeVar("_Read")  # Facts, or a defect.


def retyped(
    values: Sequence[bytes],
    several: Sequence[_Read],
    read: Callable[[bytes], _Read],
    context: Context,
) -> tuple[list[bytes], list[_Read]]:
    """The records and their facts, those of such a member with the documented type."""
    pairs = [
        (value, facts)
        if not isinstance(facts, Defect)
        or facts.field not in _OTHERS
        or (text := _retyped(value, context)) is None
        else (text, read(text))
        for value, facts in zip(values, several, strict=True)
    ]
    return [value for value, _ in pairs], [facts for _, facts in pairs]


def _retyped(value: bytes, context: Context) -> bytes | None:
    """None if no member has such a type."""
    with room_for_members(value, context):
        members = _object.decode(value)
        changed = False
        for name, (other, usual) in _OTHERS.items():
            if name in members and (found := other.fullmatch(bytes(members[name]))) is not None:
                members[name] = Raw(found.expand(usual))
                changed = True
        return msgspec.json.encode(members) if changed else None
