"""The spool's files and the disk below them: whether what is written there now has a future."""

import errno
import os
from pathlib import Path

# Of the disk, left free: to take records out, SQLite writes, too, and its log may hold 16 MB that
# its file has no room for yet.
FREE_BYTES = 64_000_000
LOG_BYTES_MIN = 64_000_000  # SQLite empties its log (`-wal`) at 16 MB, unless somebody still reads.


class Disk:
    def __init__(self, file: Path, gate: Path, bytes_max: int) -> None:
        """They are open by now."""
        self._files = [(one, one.stat()) for one in (file, gate)]
        self._log = file.with_name(f"{file.name}-wal")
        self._log_bytes_max = max(bytes_max, LOG_BYTES_MIN)

    def require(self, size: int) -> None:
        """Raises `OSError` if so many bytes would be lost there, or take what others need."""
        self.require_files()
        if self._log.stat().st_size > self._log_bytes_max:
            raise OSError(f"{self._log} grows, as another program reads from the database")
        disk = os.statvfs(self._log)
        free = disk.f_bavail * disk.f_frsize
        if free < FREE_BYTES + 2 * size:  # In SQLite's log, and in its file.
            raise OSError(errno.ENOSPC, f"the disk has only {free} bytes left")

    def require_files(self) -> None:
        """Raises `OSError` if nobody would find what is written: it ends with this process."""
        for file, ours in self._files:
            if not os.path.samestat(file.stat(), ours):
                raise OSError(f"{file} was replaced: restart the edge")
