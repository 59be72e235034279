"""What makes bytes unusable that msgspec passes over in members it does not read. Pure.

Destinations read the whole record, and refuse the whole request for such a member.
"""

import re
from dataclasses import dataclass
from typing import Final, final

import orjson
import simdjson

LEVELS_MAX = 40  # Of nesting, below the record itself (amplitude.md#event).
TREE_BYTES_MAX = 32_000  # A larger value is not parsed into objects: they take 30 times its size.
ODD_NUMBERS_MAX = 1_000
_BRACKET: Final = ord("[")  # A single byte is found faster than it is counted.
_parse: Final = simdjson.Parser().parse  # It keeps as much memory as its largest text took.
_STRING = re.compile(rb'"[^"]*+"')
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NEITHER: Final = bytes(set(range(256)) - set(b'"[]{}'))
# Strings, and numbers that are below 1e308 whatever their digits are.
_SURELY_IN_RANGE = re.compile(
    rb'(?:[^"0-9]++|"(?:[^"\\]++|\\.)*+"|[0-9]{1,8}+(?:\.[0-9]++)?+'
    rb"(?:[eE](?:-[0-9]++|\+?+(?:[0-9]{1,2}+|[12][0-9][0-9])))?+(?![0-9.eE])"
    rb"|[0-9]{1,200}+(?:\.[0-9]++)?+(?:[eE](?:-[0-9]++|\+?+[0-9]{1,2}+))?+(?![0-9.eE]))*+",
    re.DOTALL,
)
_NUMBER = re.compile(rb"[0-9.eE+-]++")


@final
@dataclass(frozen=True, slots=True)
class Defect:
    """Why a value is no record: a stable snake_case reason, the field, and words for people."""

    reason: str
    field: str
    message: str


def strictness_defect(value: bytes) -> Defect | None:
    """Of JSON text as msgspec takes it: not UTF-8, nested too deep, or a number out of range."""
    if len(value) > TREE_BYTES_MAX:
        return _found(value)
    try:
        # In 0.2 µs for 600 bytes; a tree of Python's objects takes four times as long.
        _parse(value)
    except (ValueError, RuntimeError):  # All that simdjson raises, also for integers over 64 bits.
        return _found(value)
    # More nesting than brackets there cannot be. To take some away is faster than to count all.
    rest = value.replace(b"{", b"", LEVELS_MAX)
    if _BRACKET in rest:
        rest = rest.replace(b"[", b"", LEVELS_MAX)
    return None if len(value) - len(rest) < LEVELS_MAX else _found(value)


def _found(value: bytes) -> Defect | None:
    """As above, and exact."""
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError as error:
            return Defect("not_json", "", f"not UTF-8: {error.reason} at byte {error.start}")
    if _levels(value) > LEVELS_MAX + 1:
        return Defect("too_deep", "", f"nesting over {LEVELS_MAX} levels")
    if not holds_only_doubles(value):
        return Defect("number_out_of_range", "", "a number is larger than any double")
    return None


def holds_only_doubles(value: bytes) -> bool:
    """Whether each number of a JSON text is in the range of a double."""
    if len(value) <= TREE_BYTES_MAX:
        return _is_strict(value)
    at = 0
    for _ in range(ODD_NUMBERS_MAX):
        found = _SURELY_IN_RANGE.match(value, at)
        at = len(value) if found is None else found.end()
        number = _NUMBER.match(value, at)
        if number is None:
            return True
        if float(number[0]) == float("inf"):
            return False
        at = number.end()
    return False  # Nobody means so many; to read them all takes a tree of the value.


def _is_strict(value: bytes) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def _levels(value: bytes) -> int:
    """How deep a JSON text is nested; of too deep ones only that they are."""
    if b"\\" in value:
        value = value.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Without what is between quotes, and then without one level after the other.
    brackets = _STRING.sub(b"", value.translate(_BRACKETS, _NEITHER).replace(b'""', b""))
    level = 0
    while brackets and level <= LEVELS_MAX + 1:
        brackets = brackets.replace(b"[]", b"")
        level += 1
    return level
