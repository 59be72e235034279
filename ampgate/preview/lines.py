"""The records of a file, as they are written in it."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from ampgate.send.lines import STANDARD_INPUT, numbered, open_lines, plain

CHUNK_LINES, CHUNK_BYTES = 10_000, 50_000_000


def chunks(file: Path) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Its lines that are not empty, numbered as an editor does; plain or gzip, also of a pipe."""
    is_stdin = file == STANDARD_INPUT
    opened = nullcontext((None, plain(sys.stdin.buffer))) if is_stdin else open_lines(file)
    chunk: list[tuple[int, bytes]] = []
    size = 0
    with opened as (_, content):
        for number, text in numbered(content):
            if not text:
                continue
            chunk.append((number, text))
            size += len(text)
            if len(chunk) == CHUNK_LINES or size >= CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
    if chunk:
        yield chunk
