"""How much memory the values of a body would take, told from its text. Pure.

Measured with orjson on CPython 3.11, at most: an object and its first member 200 bytes, an array
64, a further value with its name 60. Events take 4 to 8 times their text, `[{"":{"":…` 37 times.
"""

SMALL_BYTES = 1_000_000  # Not counted, which is 3 % of a request: 37 MB at most.
# Without objects and arrays a text takes 15 times itself: that matters of long ones only.
COMMAS_FROM_BYTES = 6_000_000
VALUE_BYTES_MAX = 100_000_000
TIMES_TEXT_MAX = 12
_OBJECT, _ARRAY, _FURTHER = 200, 64, 60


def has_too_many_values(text: bytes) -> bool:
    """Whether its values would take far more memory than those of any body of events."""
    if len(text) <= SMALL_BYTES:
        return False
    size = _OBJECT * _count(text, b"{") + _ARRAY * _count(text, b"[")
    if len(text) > COMMAS_FROM_BYTES:
        size += _FURTHER * _count(text, b",")
    return size > min(VALUE_BYTES_MAX, TIMES_TEXT_MAX * len(text))


def _count(text: bytes, sign: bytes) -> int:
    """Of a form, which begins with a name, also as it is escaped there."""
    found = text.count(sign)
    if text[:1].isalpha():
        found += text.count(b"%%%02X" % sign[0]) + text.count(b"%%%02x" % sign[0])
    return found
