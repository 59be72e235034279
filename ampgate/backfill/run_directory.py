"""Where a run keeps its files until it is done: the same command finds them, and goes on.

The directory is named by the command's words, not by the hours that these mean: `--from 7d` means
others an hour later, and history sent anew would count twice. When it began is in a file, and up to
which row all is written: Kafka's retention may have deleted those that were parked first.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ampgate.amplitude_read.disk import make
from ampgate.errors import CommandError
from ampgate.whole_file import whole_file

BEGUN = "begun"  # Milliseconds since the epoch.
WRITTEN = "written"  # The number of a row.


@dataclass(frozen=True, slots=True)
class RunDirectory:
    path: Path
    begun_ms: int
    is_going_on: bool  # Begun by an earlier call, which was interrupted.

    def begin(self) -> None:
        """`CommandError` if another process has begun the same run meanwhile.

        Of two that go on with a run the second is refused by the lock of its database.
        """
        if self.is_going_on:
            return
        make(self.path.parent)
        with _locked(self.path.parent):
            if (self.path / BEGUN).exists():
                raise CommandError("another call of this command has begun meanwhile, and goes on")
            # What may be there is of a run that is done, and was ended while it took it away.
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir(0o700)
            self._write(BEGUN, self.begun_ms)

    @property
    def written(self) -> int:
        """Kafka has had all rows up to this one."""
        file = self.path / WRITTEN
        return int(file.read_text()) if file.exists() else 0

    def note_written(self, number: int) -> None:
        self._write(WRITTEN, number)

    def end(self) -> None:
        """The run is done: the same command begins another one from now on."""
        (self.path / BEGUN).unlink()
        shutil.rmtree(self.path)

    def _write(self, name: str, number: int) -> None:
        with whole_file(self.path / name) as opened:
            opened.write(b"%d" % number)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def run_directory(place: Path, words: tuple[str, ...], now_ms: int) -> RunDirectory:
    """Of the command with these words; the run begins now, unless it has begun."""
    path = place / "_".join(quote(word, safe=":") for word in words)
    file = path / BEGUN
    is_going_on = file.exists()
    return RunDirectory(path, int(file.read_text()) if is_going_on else now_ms, is_going_on)
