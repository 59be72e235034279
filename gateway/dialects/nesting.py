"""JSON text that is nested deeper than msgspec reads, which is about 950 levels. Pure.

One such record must not refuse its request: the others are read, and it is rejected alone, as every
record over 40 levels is. So what is too deep is taken out, the rest is read, and it is put back.
"""

import os
import re
from collections.abc import Iterator

from msgspec.structs import replace

from gateway.dialects.shapes import Endpoint, Opened, Request
from schemas.strictness import LEVELS_MAX

# More than a record may have, and what is around it: only records that are rejected lose something.
LEVELS_READ = LEVELS_MAX + 20
# Runs of brackets, and quotes and backslashes, in one text: to look at so many takes 10 ms.
RUNS_MAX = 10_000
MARKS_MAX = 50_000
_RUN = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+"?)*+([\[{]++|[\]}]++)?', re.DOTALL)
_OPENING = b"[{"


def opened(endpoint: Endpoint, request: Request) -> Opened:
    """As `endpoint.open`; `RecursionError` only where that helps nothing."""
    try:
        return endpoint.open(request)
    except RecursionError:
        shallow = Shallow(request.body)
    found = endpoint.open(replace(request, body=shallow.text))
    return found._replace(values=list(map(shallow.whole, found.values)))


def sent_key(endpoint: Endpoint, request: Request) -> str:
    """As `endpoint.sent_key`, likewise."""
    try:
        return endpoint.sent_key(request)
    except RecursionError:
        return endpoint.sent_key(replace(request, body=Shallow(request.body).text))


class Shallow:
    """A text without what is deeper than `LEVELS_READ`: a word stands in place of each such value.

    `RecursionError` where they are not closed, or there is more than is looked at.
    """

    def __init__(self, text: bytes) -> None:
        self._word = os.urandom(16).hex().encode()  # Which no sender can have written.
        self._taken: list[bytes] = []
        kept, at, begin = bytearray(), 0, 0
        depth = 0
        for start, end in _runs(text):
            size = end - start
            if text[start] in _OPENING:
                if depth <= LEVELS_READ < depth + size:
                    begin = start + LEVELS_READ - depth
                depth += size
                continue
            if depth - size <= LEVELS_READ < depth:
                kept += text[at:begin] + b'"%b:%d"' % (self._word, len(self._taken))
                at = start + depth - LEVELS_READ
                self._taken.append(text[begin:at])
            depth -= size
        if depth > LEVELS_READ:
            raise RecursionError
        self.text = bytes(kept) + text[at:]

    def whole(self, text: bytes) -> bytes:
        """A part of the shallow text, with all that was taken out of it."""
        first, *others = text.split(b'"%b:' % self._word)
        if not others:
            return text
        parts = [first]
        for other in others:
            number, _, rest = other.partition(b'"')
            parts += [self._taken[int(number)], rest]
        return b"".join(parts)


def _runs(text: bytes) -> Iterator[tuple[int, int]]:
    """Where brackets stand that all open, or all close, outside of strings."""
    if text.count(b'"') + text.count(b"\\") > MARKS_MAX:
        raise RecursionError
    for number, found in enumerate(_RUN.finditer(text)):
        if number == RUNS_MAX:
            raise RecursionError
        if found[1] is None:  # What follows the last of them.
            return
        yield found.span(1)
