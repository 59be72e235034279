"""Half a surrogate pair in JSON text, as in `"\\ud83d"`: what a cut emoji leaves behind. Pure.

JavaScript writes it, and the JSON parsers of others refuse it; one such string must not cost the
whole batch. It becomes U+FFFD, as it would in any encoder of UTF-8.
"""

import re
from itertools import islice

LONE_MAX = 100_000  # Of one body: each costs, and a body of nothing else seconds.
# A backslash that is itself escaped starts nothing, hence the first alternative.
_ESCAPE = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)

_BACKSLASH = ord("\\")


def repaired(text: bytes) -> bytes | None:
    """The same text, each lone surrogate escape replaced; None when there are too many."""
    # A single byte is found ten times as fast as three; most bodies have no escape at all.
    if _BACKSLASH not in text or (b"\\ud" not in text and b"\\uD" not in text):
        return text
    found = (match.start() for match in _ESCAPE.finditer(text) if match[1])
    lone = list(islice(found, LONE_MAX + 1))
    if len(lone) > LONE_MAX:
        return None
    whole = bytearray(text)
    for start in lone:
        whole[start : start + 6] = b"\\ufffd"
    return bytes(whole)
