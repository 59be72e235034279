"""Locks between processes, which end with the process that holds them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Lock:
    """Held by at most one process, from when it was free until the end of that process."""

    def __init__(self, file: Path) -> None:
        self._descriptor = _opened(file)
        self._is_held = False

    def is_ours(self) -> bool:
        """Take it, if nobody has it."""
        if not self._is_held:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self._is_held = True
        return True

    def close(self) -> None:
        os.close(self._descriptor)


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Wait until no other process is here."""
    descriptor = _opened(file)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _opened(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
