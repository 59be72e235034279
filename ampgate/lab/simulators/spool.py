"""What was received, in order, in an anonymous temporary file: half a million events fit.

Each record has the time from which Amplitude's Export shows it, so an hour is found at once.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from tempfile import TemporaryFile
from typing import IO, NamedTuple

from ampgate.lab.simulators.model import Received

CHUNK_BYTES = 1 << 18  # What is sent, and held in memory, at once.
HOUR_MS = 3_600_000


class Shown(NamedTuple):
    """How the read side shows a record: how often, and how much later than it came."""

    copies: int = 1
    late_ms: int = 0


AS_IT_CAME = Shown()
Show = Callable[[Received], Shown]


class Row(NamedTuple):
    """A stored record; `place` is unique and rises."""

    place: int
    endpoint: str
    uploaded_ms: int
    copies: int
    body: bytes


class Spool:
    """Each line: the endpoint's number, when it is shown from, how often, and the record."""

    def __init__(self) -> None:
        self._opened: IO[bytes] | None = None
        self._endpoints: list[str] = []
        self._end = 0
        # By hour of the upload, the parts of the file that may hold its rows.
        self._hours: dict[int, list[tuple[int, int]]] = {}

    @property
    def size(self) -> int:
        return self._end

    def append(
        self, received: Sequence[Received], at_ms: int = 0, show: Show | None = None
    ) -> None:
        file = self._file()
        for endpoint, body in received:
            if endpoint not in self._endpoints:
                self._endpoints.append(endpoint)
            shown = AS_IT_CAME if show is None else show(Received(endpoint, body))
            uploaded_ms = at_ms + shown.late_ms
            number = self._endpoints.index(endpoint)
            line = b"%d\t%d\t%d\t%b\n" % (number, uploaded_ms, shown.copies, body)
            file.write(line)
            self._note(uploaded_ms // HOUR_MS, len(line))

    def chunks(self, endpoint: str | None = None) -> Iterator[bytes]:
        """NDJSON of what is here now, of one endpoint or of all."""
        wanted = None
        if endpoint is not None:
            known = endpoint in self._endpoints
            wanted = b"%d" % self._endpoints.index(endpoint) if known else b"-"
        for _, lines in self._lines(0, self._end):
            parted = [line.split(b"\t", 3) for line in lines]
            yield b"".join([one[3] + b"\n" for one in parted if wanted in (None, one[0])])

    def rows(self) -> Iterator[Row]:
        """All, in the order in which they came."""
        return self._rows([(0, self._end)])

    def rows_of(self, hour: int) -> Iterator[Row]:
        """Those that are shown from this hour on, counted since 1970."""
        return (
            row
            for row in self._rows(list(self._hours.get(hour, ())))
            if row.uploaded_ms // HOUR_MS == hour
        )

    def clear(self) -> None:
        if self._opened is not None:
            self._opened.seek(0)
            self._opened.truncate()
        self._end = 0
        self._endpoints.clear()
        self._hours.clear()

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def _file(self) -> IO[bytes]:
        if self._opened is None:
            self._opened = TemporaryFile(buffering=1 << 20)  # noqa: SIM115  It lives as long as this.
        return self._opened

    def _note(self, hour: int, size: int) -> None:
        parts = self._hours.setdefault(hour, [])
        if parts and parts[-1][1] == self._end:
            parts[-1] = (parts[-1][0], self._end + size)
        else:
            parts.append((self._end, self._end + size))
        self._end += size

    def _rows(self, parts: Sequence[tuple[int, int]]) -> Iterator[Row]:
        for start, end in parts:
            for place, lines in self._lines(start, end):
                for line in lines:
                    number, uploaded_ms, copies, body = line.split(b"\t", 3)
                    endpoint = self._endpoints[int(number)]
                    yield Row(place, endpoint, int(uploaded_ms), int(copies), body)
                    place += len(line) + 1

    def _lines(self, start: int, end: int) -> Iterator[tuple[int, list[bytes]]]:
        """Whole lines, some at once, and where the first of them is."""
        if start == end:
            return
        file = self._file()
        file.flush()
        position, rest = start, b""
        while position < end:
            # Read beside the writer: its own position stays where it is.
            piece = os.pread(file.fileno(), min(CHUNK_BYTES, end - position), position)
            if not piece:  # It was cleared meanwhile.
                return
            place = position - len(rest)
            position += len(piece)
            *lines, rest = (rest + piece).split(b"\n")
            yield place, lines
