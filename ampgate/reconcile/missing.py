"""Writes the records that are missing, as Kafka has them: NDJSON that `ampgate send` takes."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

from ampgate.archive.archive import Archive, Span
from ampgate.archive.batches import Wanted
from ampgate.whole_file import whole_file
from schemas.records import Stored
from schemas.topics import Kind, Topics

_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")  # In JSON a bare line end is always a space.
Places = Iterable[tuple[int, int, int]]


async def write_missing(kafka: Archive, topics: Topics, places: Places, file: Path) -> int:
    """How many; the file gets its name once it has them all."""
    written = 0
    with whole_file(file) as opened:
        for (topic, partition), found in groupby(places, lambda place: place[:2]):
            offsets = array("q", (offset for *_, offset in found))
            span = Span(topics.of(list(Kind)[topic]), partition, offsets[0], offsets[-1] + 1)
            written += await _write(kafka, span, offsets, opened)
    return written


async def _write(kafka: Archive, span: Span, offsets: "array[int]", into: BinaryIO) -> int:
    written = 0

    async def write(records: list[Stored]) -> None:
        nonlocal written
        wanted = [one for one in records if _holds(offsets, one.offset)]
        into.write(b"".join((one.value or b"").translate(_LINE_ENDS) + b"\n" for one in wanted))
        written += len(wanted)

    await kafka.search([span], Wanted(), write)
    return written


def _holds(offsets: "array[int]", offset: int) -> bool:
    at = bisect_left(offsets, offset)
    return at < len(offsets) and offsets[at] == offset
