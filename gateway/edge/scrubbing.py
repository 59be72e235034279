"""Replaces personal data before it is stored. Pure; costs nothing unless configured."""

import json
import re
from collections.abc import Sequence

import msgspec
from msgspec import Raw

from gateway.dialects.nesting import Shallow
from gateway.dialects.shapes import NOWHERE, Places
from schemas.configuration.config import Scrub
from schemas.configuration.patterns import Pattern
from schemas.configuration.values import UNSCRUBBED
from schemas.decoding import NOT_DECODED

SCRUBBED = "[scrubbed]"
_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])
# A string without an end takes all the rest: else each of its quotes would start a search.
_STRING = re.compile(rb'"((?:[^"\\]++|\\.)*+)("?)', re.DOTALL)
_REPLACEMENT = SCRUBBED.encode()
_TEXT = Raw(msgspec.json.encode(SCRUBBED))
_UPDATED = frozenset({"user_properties", "group_properties"})
_OBJECTS = _UPDATED | {"event_properties"}
_NO_TEXTS = frozenset(
    {"ip", "location_lat", "location_lng", "price", "quantity", "revenue", "plan"}
    | {"ingestion_metadata", "$skip_user_properties_sync"}
)
_VALUELESS = "$unset"  # It names what is to be removed.


class Scrubber:
    """Replaces the named fields, and what the patterns find in any other text."""

    def __init__(self, scrubs: Sequence[Scrub]) -> None:
        self._paths = [scrub.field.split(".") for scrub in scrubs if scrub.field is not None]
        self._patterns = [Pattern(scrub.pattern) for scrub in scrubs if scrub.pattern]

    def scrubbed(self, value: bytes, places: Places = NOWHERE) -> bytes:
        """The record without the personal data; the ids for delivery stay.

        In a dead letter that is no object, only strings are scrubbed; one has its members at these
        places, too, as it is what was sent.
        """
        try:
            members = _members_of(value)
        except NOT_DECODED:
            return self._without_matches(value)
        for path in self._paths:
            _scrub(members, path)
            for place in places.get(path[0], ()):
                if there := [*place, *path[1:]]:
                    _replace(members, there)
        if self._patterns:
            for name, raw in members.items():
                if name not in UNSCRUBBED:
                    members[name] = Raw(self._without_matches(bytes(raw)))
        return msgspec.json.encode(members)

    def _without_matches(self, value: bytes) -> bytes:
        """Only what is replaced is copied: a list of all texts would take 50 times their bytes."""
        if not self._patterns:
            return value
        whole, at = bytearray(), 0
        for literal in _STRING.finditer(value):
            text = self._replaced(literal)
            if text is not None:
                whole += value[at : literal.start()]
                whole += text
                at = literal.end()
        return bytes(whole) + value[at:] if at else value

    def _replaced(self, literal: re.Match[bytes]) -> bytes | None:
        """What takes the place of the text; None where it stays."""
        written, end = literal.groups()
        if not written:
            return None
        text = plain = _unescaped(written)
        for pattern in self._patterns:
            plain = pattern.replaced(plain, _REPLACEMENT)
        if plain == text:
            return None
        if text is written:
            return b'"' + plain + end
        return json.dumps(plain.decode()).encode()


def _unescaped(written: bytes) -> bytes:
    """The decoded string between two quotes, as UTF-8; invalid JSON stays as it is."""
    if b"\\" not in written:
        return written
    try:
        text: str = json.loads(b'"' + written + b'"')
    except ValueError:
        return written
    return text.encode("utf-8", "replace")  # A lone surrogate cannot be encoded.


def _scrub(members: dict[str, Raw], path: Sequence[str]) -> None:
    """What Amplitude takes only as an object, a number or an address is emptied or left out: with a
    text in its place it refuses the record.
    """
    name, *below = path
    if not below and name in members and name in _OBJECTS:
        members[name] = Raw(b"{}")
    elif not below and name in _NO_TEXTS:
        members.pop(name, None)
    else:
        _replace(members, path, is_updated=name in _UPDATED)


def _replace(members: dict[str, Raw], path: Sequence[str], *, is_updated: bool = False) -> None:
    name, *below = path
    if name in members:
        found = members[name]
        members[name] = _without(found, below, is_updated=is_updated) if below else _TEXT


def _without(raw: Raw, path: Sequence[str], *, is_updated: bool = False) -> Raw:
    """The object with this place replaced, or the list, in each of its objects; else as it is.

    Below an operation, such as `$set`, properties that are updated have their names again.
    """
    text = bytes(raw)
    try:
        if text[:1] == b"[":
            ones = _array.decode(text)
            return _encoded([_without(one, path) if _is_object(one) else one for one in ones])
        members = _members_of(text)
    except NOT_DECODED:
        return raw
    for name in members if is_updated else ():
        if name.startswith("$") and name != _VALUELESS:
            _replace(members, [name, *path])
    _replace(members, path)
    return _encoded(members)


def _members_of(value: bytes) -> dict[str, Raw]:
    """Those of an object of any depth: a dead letter may be nested deeper than can be read."""
    try:
        return _object.decode(value)
    except RecursionError:
        shallow = Shallow(value)
    members = _object.decode(shallow.text)
    return {name: Raw(shallow.whole(bytes(raw))) for name, raw in members.items()}


def _is_object(raw: Raw) -> bool:
    return bytes(memoryview(raw)[:1]) == b"{"


def _encoded(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))
