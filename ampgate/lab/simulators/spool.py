"""What was received, in order, in an anonymous temporary file: half a million events fit."""

import os
from collections.abc import Iterator
from tempfile import TemporaryFile

from ampgate.lab.simulators.model import Received

CHUNK_BYTES = 1 << 18  # What is sent, and held in memory, at once.


class Spool:
    """Each line is the endpoint's number, a tab and the record."""

    def __init__(self) -> None:
        self._file = TemporaryFile(buffering=1 << 20)  # noqa: SIM115  It lives as long as this.
        self._numbers: dict[str, bytes] = {}

    def append(self, received: list[Received]) -> None:
        numbers = self._numbers
        lines: list[bytes] = []
        for endpoint, body in received:
            number = numbers.get(endpoint)
            if number is None:
                number = numbers[endpoint] = b"%d" % len(numbers)
            lines.append(b"%b\t%b\n" % (number, body))
        self._file.write(b"".join(lines))

    def chunks(self, endpoint: str | None = None) -> Iterator[bytes]:
        """NDJSON of what is here now, of one endpoint or of all."""
        self._file.flush()
        descriptor, end = self._file.fileno(), self._file.tell()
        wanted = None if endpoint is None else self._numbers.get(endpoint, b"-")
        position, rest = 0, b""
        while position < end:
            # Read beside the writer: its own position stays where it is.
            piece = os.pread(descriptor, min(CHUNK_BYTES, end - position), position)
            if not piece:  # It was cleared meanwhile.
                return
            position += len(piece)
            *lines, rest = (rest + piece).split(b"\n")
            parted = [line.partition(b"\t") for line in lines]
            yield b"".join([body + b"\n" for number, _, body in parted if wanted in (None, number)])

    def clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._numbers.clear()

    def close(self) -> None:
        self._file.close()
