"""JSON text that is nested deeper than msgspec reads, which is about 950 levels. Pure.

One such record must not refuse its request: the others are read, and it is rejected alone, as every
record over 40 levels is. So what is too deep is taken out, the rest is read, and it is put back.
"""

import os
import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from schemas.strictness import LEVELS_MAX

# More than a record may have, and what is around it: only records that are rejected lose something.
LEVELS_READ = LEVELS_MAX + 20
RUNS_MAX = 100_000  # Of brackets, in one text: looking at so many takes 40 ms.
_RUN = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+"?)*+([\[{]++|[\]}]++)?', re.DOTALL)
_OPENING = b"[{"
_Shape = TypeVar("_Shape")


class Shallow:
    """A text without what is deeper than `LEVELS_READ`: a word stands in place of each such value.

    `RecursionError` where they are not closed, or there are more brackets than are looked at.
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
        word = rb'"%b:([0-9]+)"' % self._word
        return re.sub(word, lambda found: self._taken[int(found[1])], text)

    def has_part(self, text: bytes) -> bool:
        """Whether something was taken out of this part."""
        return self._word in text


def read(decoder: msgspec.json.Decoder[_Shape], text: bytes) -> _Shape:
    """As `decoder.decode`, also of a text that is nested deeper than it can read.

    `RecursionError` where that cannot be done: the request is refused.
    """
    try:
        return decoder.decode(text)
    except RecursionError:
        shallow = Shallow(text)
    shape: _Shape = _whole(decoder.decode(shallow.text), shallow)
    return shape


def _whole(shape: Any, shallow: Shallow) -> Any:  # noqa: ANN401  Any decoder's.
    """The same, each `Raw` in it whole; one that nothing was taken out of stays the same object."""
    if isinstance(shape, Raw):
        text = bytes(shape)
        return Raw(shallow.whole(text)) if shallow.has_part(text) else shape
    if isinstance(shape, list):
        return [_whole(one, shallow) for one in shape]
    if isinstance(shape, dict):
        return {name: _whole(one, shallow) for name, one in shape.items()}
    if isinstance(shape, Struct):
        members = msgspec.structs.asdict(shape)
        return type(shape)(**{name: _whole(one, shallow) for name, one in members.items()})
    return shape


def _runs(text: bytes) -> Iterator[tuple[int, int]]:
    """Where brackets stand that all open, or all close, outside of strings."""
    at = 0
    for _ in range(RUNS_MAX):
        found = _RUN.match(text, at)
        if found is None or found[1] is None:
            return
        yield found.span(1)
        at = found.end()
    raise RecursionError
