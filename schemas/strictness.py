"""Defects in members that msgspec does not read, and so does not find. Pure.

Destinations read the whole record, and refuse a whole request for such a member.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import orjson
import simdjson

LEVELS_MAX = 40  # Levels of nesting below the record itself (amplitude.md#event).
TREE_BYTES_MAX = 32_000  # A larger value is not parsed into objects: they take 30 times its size.
TOGETHER = 12  # Values that are parsed at once, where they are not more bytes than these.
TOGETHER_BYTES_MAX = 200_000  # simdjson takes 14 times as much memory.
ODD_NUMBERS_MAX = 1_000
_BRACKET: Final = ord("[")  # Finding a single byte is faster than counting it.
_parse: Final = simdjson.Parser().parse  # simdjson keeps the memory of its largest text.
_STRING = re.compile(rb'"[^"]*+"')
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NEITHER: Final = bytes(set(range(256)) - set(b'"[]{}'))
# Removing a level costs 1 to 3 ms for 1 MB of brackets, and looking at a run of them 0.3 µs. Where
# a level is less than a tenth of the brackets, there are few runs.
_SHRINKING: Final = 0.9
_RUN = re.compile(rb"(\[++)\]*+")
# Strings, and numbers that are below 1e308 by their length.
_SURELY_IN_RANGE = re.compile(
    rb'(?:[^"0-9]++|"(?:[^"\\]++|\\.)*+"|[0-9]{1,8}+(?:\.[0-9]++)?+'
    rb"(?:[eE](?:-[0-9]++|\+?+(?:[0-9]{1,2}+|[12][0-9][0-9])))?+(?![0-9.eE])"
    rb"|[0-9]{1,200}+(?:\.[0-9]++)?+(?:[eE](?:-[0-9]++|\+?+[0-9]{1,2}+))?+(?![0-9.eE]))*+",
    re.DOTALL,
)
# A larger number has an exponent, or more digits: few texts have either, and looking costs 1 ms/MB.
_DIGITS_IN_RANGE: Final = 300
_SHAPES: Final = bytes(
    48 if byte in b"0123456789" else 101 if byte in b"eE" else 32 for byte in range(256)
)
_NUMBER = re.compile(rb"[0-9.eE+-]++")


@final
@dataclass(frozen=True, slots=True)
class Defect:
    """Why a value is unusable: a stable snake_case reason, the field, and a message."""

    reason: str
    field: str
    message: str


def strictness_defect(value: bytes) -> Defect | None:
    """The defect of a text that msgspec accepts: not UTF-8, too deep, or a number out of range."""
    if len(value) <= TREE_BYTES_MAX and is_surely_strict(value) and is_surely_shallow(value):
        return None
    return _found(value)


def is_surely_strict(text: bytes) -> bool:
    """Whether it is UTF-8 with numbers in range; some that are make it False, too."""
    try:
        # 0.2 µs for 600 bytes; building Python objects takes four times as long.
        _parse(text)
    except (ValueError, RuntimeError):  # simdjson's exceptions, also for integers over 64 bits.
        return False
    return True


def is_surely_shallow(value: bytes) -> bool:
    """The nesting is at most the number of brackets; removing some is faster than counting all."""
    rest = value.replace(b"{", b"", LEVELS_MAX)
    if _BRACKET in rest:
        rest = rest.replace(b"[", b"", LEVELS_MAX)
    return len(value) - len(rest) < LEVELS_MAX


def are_surely_strict(values: Sequence[bytes], together: int = TOGETHER) -> bool:
    """Whether all of these objects are strict and shallow, in two thirds of the time.

    msgspec must have accepted each: else one could open a string that the next one closes. So many
    are parsed together; with 40 brackets or more in all, the depth of each is looked at, too.
    """
    for first in range(0, len(values), together):
        some = values[first : first + together]
        text = b"[%b]" % b",".join(some)
        if len(text) > TOGETHER_BYTES_MAX or not is_surely_strict(text):
            return False
        rest = text.replace(b"{", b"")
        brackets = len(text) - len(rest.replace(b"[", b""))
        # One value has all of them but one of each other's, and mostly so few are no depth.
        if brackets - len(some) >= LEVELS_MAX and not all(map(is_surely_shallow, some)):
            return False
    return True


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
    shapes = value.translate(_SHAPES)
    if b"0e" not in shapes and b"0" * _DIGITS_IN_RANGE not in shapes:
        return True
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
    return False  # More digits than any real number has; reading all takes a tree of the value.


def _is_strict(value: bytes) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def _levels(value: bytes) -> int:
    """How deep a JSON text is nested; above the limit, the exact depth is not computed."""
    if b"\\" in value:
        value = value.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Remove strings, then one level of nesting at a time.
    brackets = _STRING.sub(b"", value.translate(_BRACKETS, _NEITHER).replace(b'""', b""))
    if b"[" * (LEVELS_MAX + 2) in brackets:
        return LEVELS_MAX + 2
    levels, before = 0, 2 * len(brackets) + 1
    while brackets and len(brackets) < before * _SHRINKING:
        before = len(brackets)
        brackets = brackets.replace(b"[]", b"")
        levels += 1
    return levels + _deepest(brackets)


def _deepest(brackets: bytes) -> int:
    """How deep they are nested, told by runs of opening and of closing ones."""
    depth = deepest = 0
    for run in _RUN.finditer(brackets):
        start, middle = run.span(1)
        depth += middle - start
        deepest = max(deepest, depth)
        depth -= run.end() - middle
    return deepest
