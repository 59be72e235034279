"""Files that are read as a whole: configuration, secrets, plans, certificates.

A pipe would keep its reader waiting, and a device may have no end: neither is read.
"""

import os
import stat
from pathlib import Path

BYTES_MAX = 100_000_000


class UnusableFileError(OSError):
    """It is no regular file, or too large; the message says which and names it."""


def content_of(path: Path) -> bytes:
    """All of it; `OSError` if it cannot be read, `ValueError` if no file can have the name."""
    with open(path, "rb", opener=_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise UnusableFileError(f"it is no regular file: {path}")
        content = file.read(BYTES_MAX + 1)
    if len(content) > BYTES_MAX:
        raise UnusableFileError(f"it has more than {BYTES_MAX} bytes: {path}")
    return content


def _at_once(name: str, flags: int) -> int:
    """Without waiting for whoever writes into a pipe."""
    return os.open(name, flags | os.O_NONBLOCK)
