"""A database of DuckDB on disk; what the disk or the memory lacks is told in one sentence."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ampgate.errors import CommandError

# A disk that fills is told by each statement that writes, and by its commit.
LACKING = (
    duckdb.IOException,
    duckdb.OutOfMemoryException,
    duckdb.TransactionException,
    duckdb.FatalException,
)
CLOSE_SECONDS = 0.01
Settings = dict[str, str | bool | int | float | list[str]]


@contextmanager
def opened_database(file: Path, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """What it spills is beside the file. A call that a thread is in is ended at the end."""
    spilled = {"temp_directory": str(file.parent / "spilled")}
    try:
        database = duckdb.connect(str(file), config={**settings, **spilled})
        try:
            yield database
        finally:
            _close(database)
    except LACKING as error:
        raise CommandError(f"{file.parent}: {first_line(error)}") from error


def _close(database: duckdb.DuckDBPyConnection) -> None:
    """A task that was cancelled leaves its thread behind, in the middle of a statement."""
    while True:
        try:
            database.close()
        except duckdb.ResourceInUseException:
            database.interrupt()
            time.sleep(CLOSE_SECONDS)
        else:
            return


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
