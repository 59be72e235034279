"""A database of DuckDB on disk; what the disk or the memory lacks is told in one sentence."""

import gzip
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from ampgate.amplitude_read.export import Exported
from ampgate.errors import CommandError
from ampgate.whole_file import whole_file
from gateway.http.surrogates import repaired

# A disk that fills is told by each statement that writes, and by its commit.
LACKING = (
    duckdb.IOException,
    duckdb.OutOfMemoryException,
    duckdb.TransactionException,
    duckdb.FatalException,
)
CLOSE_SECONDS = 0.01
UNREADABLE = (duckdb.InvalidInputException, duckdb.ConversionException)
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


def read_rows(database: duckdb.DuckDBPyConnection, statement: str, window: Exported) -> None:
    """Run it with the window's `$files`; `CommandError` if they are not as documented."""
    if not (files := window.files):
        return
    asked = {"files": [str(file) for file in files]}
    try:
        database.execute(statement, asked)
    except UNREADABLE:
        # Half of an emoji, as senders cut texts, makes its line unreadable, and so all of them.
        for file in files:
            _repair(file)
        try:
            database.execute(statement, asked)
        except UNREADABLE as error:
            says = f"the export of {window.hours} is not as documented: {first_line(error)}"
            raise CommandError(says) from error


def _repair(file: Path) -> None:
    with gzip.open(file) as lines, whole_file(file) as opened, gzip.open(opened, "wb", 1) as packed:
        packed.writelines(repaired(line) or line for line in lines)


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
