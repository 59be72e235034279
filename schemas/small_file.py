"""Files that are read as a whole: configuration, secrets, plans, certificates.

A pipe could keep its reader waiting, and a device may have no end. So a pipe, as a shell makes one
of `<(sops --decrypt ampgate.toml)`, has to end soon, and nothing else is read.
"""

import os
import select
import stat
from pathlib import Path

BYTES_MAX = 100_000_000
SILENT_MS = 5_000  # Of a pipe's writer.
_PIECE_BYTES = 65_536


class UnusableFileError(OSError):
    """It is no file of this kind, too large or too slow; the message says which and names it."""


def content_of(path: Path, *, may_be_pipe: bool = False) -> bytes:
    """All of it; `OSError` if it cannot be read, `ValueError` if no file can have the name."""
    with open(path, "rb", opener=_at_once) as file:
        mode = os.fstat(file.fileno()).st_mode
        if may_be_pipe and stat.S_ISFIFO(mode):
            content = _piped(file.fileno(), path)
        elif stat.S_ISREG(mode):
            content = file.read(BYTES_MAX + 1)
        else:
            raise UnusableFileError(f"it is no regular file: {path}")
    if len(content) > BYTES_MAX:
        raise UnusableFileError(f"it has more than {BYTES_MAX} bytes: {path}")
    return content


def _at_once(name: str, flags: int) -> int:
    """Without waiting for whoever writes into a pipe."""
    return os.open(name, flags | os.O_NONBLOCK)


def _piped(pipe: int, path: Path) -> bytes:
    """What is written until its writer closes it, or somewhat more than is allowed."""
    content = bytearray()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while len(content) <= BYTES_MAX:
        if not poll.poll(SILENT_MS):
            raise UnusableFileError(f"nobody writes into it, or ends: {path}")
        piece = os.read(pipe, _PIECE_BYTES)
        if not piece:
            break
        content += piece
    return bytes(content)
