"""How much memory the values of a body would take, told from its text. Pure.

Measured with orjson on CPython 3.11, at most: an object and its first member 200 bytes, an array
64, a further value with its name 60. Events take 4 to 8 times their text, `[{"":{"":…` 37 times.
"""

from random import Random

SMALL_BYTES = 100_000  # Not looked at: 4 MB at most.
VALUE_BYTES_MAX = 150_000_000
TIMES_TEXT_MAX = 12
# To count a whole text is 6 % of a request. So some places are looked at first, which no sender
# knows; where they are no denser than events, the rest is not either.
TIMES_TEXT_USUAL = 8
_PLACES = 64
_PLACE_BYTES = 512
# Without objects and arrays a text takes 15 times itself: that matters of long ones only.
COMMAS_FROM_BYTES = 6_000_000
_OBJECT, _ARRAY, _FURTHER = 200, 64, 60


def has_too_many_values(text: bytes, rng: Random) -> bool:
    """Whether its values would take far more memory than those of any body of events."""
    size = len(text)
    if size <= SMALL_BYTES:
        return False
    is_form = text[:1].isalpha()
    if size > COMMAS_FROM_BYTES:
        takes = _containers(text, is_form=is_form) + _FURTHER * _count(text, b",", is_form=is_form)
        return takes > min(VALUE_BYTES_MAX, TIMES_TEXT_MAX * size)
    places = _places(text, rng)
    if _containers(places, is_form=is_form) <= TIMES_TEXT_USUAL * len(places):
        return False
    return _containers(text, is_form=is_form) > TIMES_TEXT_MAX * size


def _places(text: bytes, rng: Random) -> bytes:
    stride = len(text) // _PLACES
    first = rng.randrange(stride - _PLACE_BYTES)
    starts = range(first, len(text), stride)
    return b"".join([text[start : start + _PLACE_BYTES] for start in starts])


def _containers(text: bytes, *, is_form: bool) -> int:
    return _OBJECT * _count(text, b"{", is_form=is_form) + _ARRAY * _count(
        text, b"[", is_form=is_form
    )


def _count(text: bytes, sign: bytes, *, is_form: bool) -> int:
    """Of a form also as it is escaped there."""
    found = text.count(sign)
    if is_form:
        found += text.count(b"%%%02X" % sign[0]) + text.count(b"%%%02x" % sign[0])
    return found
