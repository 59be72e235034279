"""Ids that are numbers, as clients of Amplitude's first HTTP API send them
(amplitude.md#first-http-api): their digits are the id. Pure.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw

from gateway.dialects.records import Facts, read_facts
from gateway.dialects.shapes import Context
from gateway.dialects.trees import room_for_members
from schemas.strictness import Defect
from schemas.topics import Kind

_IDS: Final = ("user_id", "device_id")
_NUMBER: Final = re.compile(rb"-?\d{1,20}")
_object = msgspec.json.Decoder(dict[str, Raw])


def with_text_ids(
    values: Sequence[bytes], several: Sequence[Facts | Defect], context: Context
) -> tuple[list[bytes], list[Facts | Defect]]:
    """The events and their facts, those with such an id as if it had been a text."""
    pairs = [
        (value, facts)
        if not isinstance(facts, Defect)
        or facts.field not in _IDS
        or (text := _with_text_ids(value, context)) is None
        else (text, read_facts(Kind.EVENT, text))
        for value, facts in zip(values, several, strict=True)
    ]
    return [value for value, _ in pairs], [facts for _, facts in pairs]


def _with_text_ids(value: bytes, context: Context) -> bytes | None:
    """None if no id is a number."""
    with room_for_members(value, context):
        members = _object.decode(value)
        numbers = {
            name: members[name]
            for name in _IDS
            if name in members and _NUMBER.fullmatch(bytes(members[name])) is not None
        }
        members.update({name: Raw(b'"%b"' % bytes(raw)) for name, raw in numbers.items()})
        return msgspec.json.encode(members) if numbers else None
