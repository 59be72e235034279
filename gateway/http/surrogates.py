"""Half a surrogate pair in JSON text, as in `"\\ud83d"`: what a cut emoji leaves behind. Pure.

JavaScript writes it, and the JSON parsers of others refuse it; one such string must not cost the
whole batch. It becomes U+FFFD, as it would in any encoder of UTF-8.
"""

import re

# Of one body: each costs a call. Above that, one in a hundred bytes.
LONE_MIN = 1_000
_BYTES_OF_ONE = 100
# All text up to the next lone half, and that half. Nothing in it is looked at twice: each step is
# possessive, and takes a backslash together with what it escapes.
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
