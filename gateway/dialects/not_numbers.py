"""`NaN` and `Infinity`, which Python writes into what is else JSON. Pure.

A body with one is malformed. Where each is a number instead that no double holds, the body is read,
and only the record with it is refused.
"""

import re

LONG_BYTES = 1_000_000  # A longer body is not looked through for words.
NO_DOUBLE = b"1e999"  # JSON, but a record with it is refused.
_STRING_OR_WORD = re.compile(rb'("(?:[^"\\]++|\\.)*+"?)|-?(?:NaN|Infinity)', re.DOTALL)


def with_numbers(body: bytes) -> bytes | None:
    """The body with numbers in their place; None if it has none of them."""
    if len(body) > LONG_BYTES or not (b"NaN" in body or b"Infinity" in body):
        return None
    return _STRING_OR_WORD.sub(lambda found: found[1] or NO_DOUBLE, body)
