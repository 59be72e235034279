"""A disk that is full, or takes no folder, in one sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ampgate.errors import CommandError

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def told_when_full(directory: Path) -> Iterator[None]:
    """Around what writes into the directory."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise CommandError(
            f"the disk of {directory} is full; what is whole stays there: the same command goes on"
        ) from error


def make(directory: Path) -> None:
    """For exports, which nobody else may read; it may be there already."""
    try:
        directory.mkdir(0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"exports cannot be kept in {directory}: {error.strerror}; --dir names another folder"
        ) from error
