"""A disk that is full, in one sentence."""

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
