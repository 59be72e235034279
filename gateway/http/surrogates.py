"""Lone surrogate escapes in JSON text, as in `"\\ud83d"`, from an emoji that was cut. Pure.

JavaScript writes them, and other JSON parsers refuse them; one such string must not reject the
whole batch. They become U+FFFD, as in encoders of UTF-8.
"""

import re

# In one body: each costs a call. In longer bodies, one in a hundred bytes.
LONE_MIN = 1_000
_BYTES_OF_ONE = 100
# The text up to the next lone surrogate, and that one. It is linear: each step is possessive, and
# takes a backslash together with the character that it escapes.
_UP_TO_LONE = re.compile(
    rb"(?:[^\\]++"
    rb"|(?:\\[^u])++"
    rb"|\\u(?![dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb")*+(\\u[dD][89a-fA-F][0-9a-fA-F]{2})?",
    re.DOTALL,
)

_BACKSLASH = ord("\\")


def repaired(text: bytes) -> bytes | None:
    """The same text, each lone surrogate escape replaced; None when there are too many."""
    # A single byte is found ten times as fast as three; most bodies have no escape at all.
    if _BACKSLASH not in text or (b"\\ud" not in text and b"\\uD" not in text):
        return text
    whole, found, most = bytearray(text), 0, max(LONE_MIN, len(text) // _BYTES_OF_ONE)
    match = _UP_TO_LONE.match(text, text.index(_BACKSLASH))
    while match is not None and match[1]:
        found += 1
        if found > most:
            return None
        start, end = match.span(1)
        whole[start:end] = b"\\ufffd"
        match = _UP_TO_LONE.match(text, end)
    return bytes(whole) if found else text
