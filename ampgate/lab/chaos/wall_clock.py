"""A wall clock that is wrong: each kind of process has one, as if it had a machine of its own.

Theory of operation: nobody may set the system's clock, so a process is started by
`python -m ampgate.lab.chaos.wall_clock FILE COMMAND…`, which replaces `time.time` and
`time.time_ns` before anything else is imported. Both look at the file, which is mapped into memory,
at each call: it holds by how many seconds the clock is wrong. The monotonic clock is right. So is
`datetime.now`, by which log lines tell when something was.
"""

import mmap
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SECONDS = struct.Struct("d")


@dataclass(frozen=True, slots=True)
class WallClock:
    file: Path

    def add(self) -> None:
        """It is right, unless it was there before."""
        if not self.file.exists():
            self.file.write_bytes(_SECONDS.pack(0.0))

    def set(self, ahead_seconds: float) -> None:
        """How far it is ahead from now on; below 0 it is behind."""
        with self.file.open("r+b") as file, mmap.mmap(file.fileno(), _SECONDS.size) as shared:
            _SECONDS.pack_into(shared, 0, ahead_seconds)


def follow(file: Path) -> None:
    """From now on, this process's wall clock is as wrong as the file says."""
    with file.open("rb") as opened:
        shared = mmap.mmap(opened.fileno(), _SECONDS.size, access=mmap.ACCESS_READ)
    right, right_ns = time.time, time.time_ns

    def shown() -> float:
        return right() + float(_SECONDS.unpack_from(shared)[0])

    def shown_ns() -> int:
        return right_ns() + int(_SECONDS.unpack_from(shared)[0] * 1e9)

    time.time, time.time_ns = shown, shown_ns


def main(arguments: Sequence[str]) -> None:
    file, *command = arguments
    follow(Path(file))
    # Not before: modules bind `time.time` as they are imported.
    from ampgate.__main__ import run

    sys.argv = ["ampgate", *command]
    run()


if __name__ == "__main__":
    main(sys.argv[1:])
