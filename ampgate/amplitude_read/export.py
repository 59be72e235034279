"""Amplitude's Export, window by window, on disk: gzip files with an event a line.

A window is a directory that gets its name once it is whole: each file's checksums were right, and
each ended with a line's end. So what was interrupted goes on after the last whole window, and
nothing that was cut off is taken for all there is.
"""

import asyncio
import shutil
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec
from isal import isal_zlib

from ampgate.amplitude_read.client import ReadClient
from ampgate.amplitude_read.disk import told_when_full
from ampgate.amplitude_read.exchange import Answer, Asked
from ampgate.amplitude_read.hours import Hours, TooLargeError, Windows, hour_name, is_complete
from ampgate.errors import CommandError

PATH = "/api/2/export"
COMPLETE = "complete"  # The mark of a window to which Amplitude has nothing to add.
CUT_OFF_MAX = 3  # So often in a row; then it is not the network.
PIECE_BYTES = 1 << 20
_GZIP = 31  # zlib's window bits for a gzip header and trailer.
_DAMAGED = (zipfile.BadZipFile, zlib.error, isal_zlib.error, EOFError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Exported:
    """A whole window. It has no files where Amplitude has no events."""

    hours: Hours
    directory: Path
    rows: int
    packed_bytes: int

    @property
    def files(self) -> list[Path]:
        return sorted(self.directory.glob("*.json.gz"))

    def doubt(self) -> None:
        """The next run asks for it anew; until then the files stay, to be looked at."""
        (self.directory / COMPLETE).unlink(missing_ok=True)


class _Said(msgspec.Struct):
    error: dict[str, object]


class DamagedError(Exception):
    """The archive is not whole; the message says how."""


@dataclass(frozen=True, slots=True)
class Exports:
    """What is kept of exports in one directory, which no other process may use meanwhile."""

    client: ReadClient
    directory: Path
    now_ms: int
    on_window: Callable[[Exported], None]
    on_bytes: Callable[[int], None] = lambda _: None

    async def windows(self, hours: Hours) -> AsyncIterator[Exported]:
        """All of these hours, in order; `CommandError` says why there are no more."""
        windows = Windows(hours)
        cut_off = 0
        while (asked := windows.next()) is not None:
            try:
                with told_when_full(self.directory):
                    self.directory.mkdir(0o700, parents=True, exist_ok=True)
                    found = self._kept(asked.first, hours.last) or await self.download(asked)
            except DamagedError as error:
                cut_off += 1
                if cut_off >= CUT_OFF_MAX:
                    raise CommandError(f"the export of {asked} comes damaged: {error}") from error
                continue
            if found is None:
                try:
                    windows.halve(asked)
                except TooLargeError as error:
                    raise CommandError(
                        f"Amplitude does not export {error}: it is over 4 GB, or takes too long;"
                        " its S3 export has no such limit"
                    ) from error
                continue
            cut_off = 0
            windows.done(found.hours)
            windows.sized(found.packed_bytes)
            self.on_window(found)
            yield found

    async def download(self, hours: Hours) -> Exported | None:
        """None if that is too much at once."""
        query = [("start", hour_name(hours.first)), ("end", hour_name(hours.last))]
        archive = self.directory / "downloading.zip"
        answer = await self.client.download(
            Asked(PATH, query), archive, self.on_bytes, its=(400, 404, 504)
        )
        if answer.status in (400, 404) and not _is_amplitudes(answer):
            await self.client.require_amplitude()
        if answer.status in (400, 504):
            return None
        return await asyncio.to_thread(self._unpack, hours, archive, answer.status == 404)

    def _unpack(self, hours: Hours, archive: Path, is_empty: bool) -> Exported:
        part = self.directory / "unpacking"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(0o700)
        rows = size = 0
        if not is_empty:
            size = archive.stat().st_size
            rows = _unpacked(archive, part)
            archive.unlink()
        (part / "rows").write_text(f"{rows} {size}")
        if all(is_complete(hour, self.now_ms) for hour in (hours.first, hours.last)):
            (part / COMPLETE).touch()
        whole = self.directory / hours.name
        shutil.rmtree(whole, ignore_errors=True)
        part.rename(whole)
        return Exported(hours, whole, rows, size)

    def _kept(self, first: int, last: int) -> Exported | None:
        """A window that an earlier run has downloaded, if Amplitude has nothing to add to it."""
        for directory in self.directory.glob(f"{hour_name(first)}-*"):
            for until in range(last, first - 1, -1):
                hours = Hours(first, until)
                if directory.name == hours.name and (directory / COMPLETE).exists():
                    rows, size = (directory / "rows").read_text().split()
                    return Exported(hours, directory, int(rows), int(size))
        return None


def _is_amplitudes(answer: Answer) -> bool:
    """Whether the error has the shape of Amplitude's (amplitude-read.md#access)."""
    try:
        return bool(msgspec.json.decode(answer.body, type=_Said).error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _unpacked(archive: Path, into: Path) -> int:
    """How many rows there are; `DamagedError` if it is not whole."""
    rows = 0
    try:
        with zipfile.ZipFile(archive) as zipped:
            for number, entry in enumerate(zipped.infolist()):
                if entry.file_size:  # A folder has none.
                    with zipped.open(entry) as packed:
                        rows += _copied(packed, into / f"{number:05}.json.gz")
    except _DAMAGED as error:  # type: ignore[misc]  # isal's stub calls its error an instance.
        raise DamagedError(str(error) or type(error).__name__) from error
    return rows


def _copied(packed: IO[bytes], into: Path) -> int:
    """The same bytes; looked through on the way, as DuckDB does not check them."""
    rows, last = 0, b"\n"
    with into.open("wb") as file:
        inflating = isal_zlib.decompressobj(_GZIP)
        while piece := packed.read(PIECE_BYTES):
            file.write(piece)
            while piece:
                plain = inflating.decompress(piece)
                rows += plain.count(b"\n")
                last = plain[-1:] or last
                piece = b""
                if inflating.eof and (piece := inflating.unused_data):  # Another member follows.
                    inflating = isal_zlib.decompressobj(_GZIP)
    if not inflating.eof:
        raise EOFError("a file in it ends too early")
    return rows + (last != b"\n")
