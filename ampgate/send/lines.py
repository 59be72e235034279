"""The lines of a file that `ampgate send` reads: each an event, with the lane that it goes by."""

import gzip
import sys
import uuid
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase, BufferedReader
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson

from ampgate.errors import CommandError

LANES = 4
GZIP_MAGIC = b"\x1f\x8b"
STANDARD_INPUT = Path("-")
BOM = b"\xef\xbb\xbf"
LINE_BYTES_MAX = 100_000_000  # A file without line ends must not fill the memory.
SKIP_BYTES = 1_000_000


class Line(NamedTuple):
    number: int
    lane: int
    event: bytes


class BadLine(NamedTuple):
    number: int
    reason: str


def parse_line(number: int, text: bytes) -> Line | BadLine:
    """Check a line, choose its lane, and give it an `insert_id` if it has none."""
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return BadLine(number, f"not JSON: {error}")
    if not isinstance(event, dict):
        return BadLine(number, "not a JSON object")
    key = event.get("user_id") or event.get("device_id") or ""
    lane = zlib.crc32(str(key).encode()) % LANES
    return Line(number, lane, text if event.get("insert_id") else _identified(event, text))


def _identified(event: dict[str, object], text: bytes) -> bytes:
    insert_id = str(uuid.uuid4())
    if event and "insert_id" not in event:
        # Spliced in, not encoded anew: the line's other bytes stay as they are.
        return b'{"insert_id":"%s",' % insert_id.encode() + text.partition(b"{")[2]
    return orjson.dumps(event | {"insert_id": insert_id})


def read_lines(file: BufferedIOBase, first: int = 1) -> Iterator[Line | BadLine]:
    """The lines from this number on that are not empty."""
    for number, text in numbered(file):
        if not text or number < first:
            continue
        if len(text) > LINE_BYTES_MAX:
            yield BadLine(number, f"longer than {LINE_BYTES_MAX} bytes")
        else:
            yield parse_line(number, text)


def numbered(file: BinaryIO | BufferedIOBase) -> Iterator[tuple[int, bytes]]:
    """All lines, numbered as an editor does; of one that is too long, its first bytes."""
    try:
        for number in count(1):
            raw = file.readline(LINE_BYTES_MAX + 1)
            if not raw:
                return
            part = raw
            while len(raw) > LINE_BYTES_MAX and part and not part.endswith(b"\n"):
                part = file.readline(SKIP_BYTES)
            yield number, (raw.removeprefix(BOM) if number == 1 else raw).strip()
    except (EOFError, OSError, zlib.error) as error:
        raise CommandError(f"the file cannot be read further: {error}") from error


@contextmanager
def open_lines(path: Path) -> Iterator[tuple[BufferedIOBase, BufferedIOBase]]:
    """The file or pipe, and its plain content: the same when it is not compressed."""
    with path.open("rb") as raw:
        yield raw, plain(raw)


def plain(raw: BinaryIO) -> BufferedIOBase:
    """Unpacked, if it is gzip; to know takes as long as its first byte."""
    reader = raw if isinstance(raw, BufferedReader) else BufferedReader(raw)  # type: ignore[type-var]  # It reads.
    return gzip.open(reader) if reader.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC) else reader


def piped_lines(path: Path, first: int) -> Iterator[Line | BadLine]:
    """Those of a pipe, or of standard input; to begin takes as long as its first byte."""
    # It is not closed: a thread that still reads from it would hold that up.
    raw = sys.stdin.buffer if path == STANDARD_INPUT else path.open("rb")
    assert isinstance(raw, BufferedReader)
    yield from read_lines(plain(raw), first)


Lines = Iterable[Line | BadLine] | AsyncIterable[Line | BadLine | None]
"""None: no other line comes at once, and what there is should go."""


async def one_by_one(lines: Lines) -> AsyncIterator[Line | BadLine | None]:
    if isinstance(lines, AsyncIterable):
        async for line in lines:
            yield line
    else:
        for line in lines:
            yield line
