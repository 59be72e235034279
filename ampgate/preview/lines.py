"""The records of a file, as they are written in it."""

import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

from ampgate.errors import CommandError
from ampgate.send.lines import STANDARD_INPUT, open_lines, plain

CHUNK_LINES = 10_000
BOM = b"\xef\xbb\xbf"


def chunks(file: Path) -> Iterator[Sequence[tuple[int, bytes]]]:
    """Its lines that are not empty, numbered as an editor does; plain or gzip, also of a pipe."""
    is_stdin = file == STANDARD_INPUT
    opened = nullcontext((None, plain(sys.stdin.buffer))) if is_stdin else open_lines(file)
    with opened as (_, content):
        numbered = enumerate(content, 1)
        try:
            while some := list(islice(numbered, CHUNK_LINES)):
                texts = [(number, line.removeprefix(BOM).strip()) for number, line in some]
                yield [(number, text) for number, text in texts if text]
        except (EOFError, OSError, zlib.error) as error:
            raise CommandError(f"the file cannot be read further: {error}") from error
