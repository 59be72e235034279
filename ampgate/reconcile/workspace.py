"""Where a reconciliation has its files: the exports, until it is done, and its tables.

One at a time uses a directory, as exports are downloaded and unpacked there: another one waits. The
lock ends with its process, however that ends; what such a process left goes with the next run.
"""

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, NamedTuple

from ampgate.amplitude_read.disk import make

TABLES = "tables-"
POLL_SECONDS = 0.5


class Workspace(NamedTuple):
    """`hours` are exports of one project only: a name may stand for another one tomorrow."""

    tables: Path
    hours: Path


@asynccontextmanager
async def workspace(
    kept_in: Path, project: str, on_wait: Callable[[], None]
) -> AsyncIterator[Workspace]:
    """`project` tells it from others; what was downloaded stays until a run ends without error."""
    await asyncio.to_thread(make, kept_in)
    hours = kept_in / f"hours-{project}"
    with (kept_in / "lock").open("w") as file:
        await _locked(file, on_wait)
        await asyncio.to_thread(_clear, kept_in)
        with tempfile.TemporaryDirectory(dir=kept_in, prefix=TABLES) as name:
            yield Workspace(Path(name), hours)
        await asyncio.to_thread(shutil.rmtree, hours, ignore_errors=True)


def _clear(kept_in: Path) -> None:
    for left in kept_in.glob(f"{TABLES}*"):
        shutil.rmtree(left, ignore_errors=True)


async def _locked(file: IO[str], on_wait: Callable[[], None]) -> None:
    is_told = False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not is_told:
                on_wait()
            is_told = True
            await asyncio.sleep(POLL_SECONDS)
        else:
            return
