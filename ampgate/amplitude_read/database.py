"""A database of DuckDB on disk; what the disk or the memory lacks is told in one sentence."""

import asyncio
import gzip
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import ParamSpec

import duckdb

from ampgate.amplitude_read.export import Exported
from ampgate.errors import CommandError
from ampgate.whole_file import whole_file
from gateway.http.surrogates import repaired
from schemas.cancellation import whole

# A disk that fills is told by each statement that writes, and by its commit.
LACKING = (
    duckdb.IOException,
    duckdb.OutOfMemoryException,
    duckdb.TransactionException,
    duckdb.FatalException,
)
INTERRUPT_SECONDS = 0.01  # Between two statements there is nothing to interrupt.
UNREADABLE = (duckdb.InvalidInputException, duckdb.ConversionException)
Settings = dict[str, str | bool | int | float | list[str]]
Arguments = ParamSpec("Arguments")


@contextmanager
def opened_database(file: Path, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """What it spills is beside the file. A call that is under way at the end would be awaited."""
    spilled = {"temp_directory": str(file.parent / "spilled")}
    try:
        with closing(duckdb.connect(str(file), config={**settings, **spilled})) as database:
            yield database
    except LACKING as error:
        raise CommandError(f"{file.parent}: {first_line(error)}") from error


async def in_thread(
    interrupt: Callable[[], None],
    call: Callable[Arguments, None],
    *arguments: Arguments.args,
    **named: Arguments.kwargs,
) -> None:
    """Make a call in a thread. Of a task that is cancelled, its statement is interrupted, and the
    thread's end awaited.
    """
    await whole(asyncio.to_thread(call, *arguments, **named), interrupt, INTERRUPT_SECONDS)


def read_rows(database: duckdb.DuckDBPyConnection, statement: str, window: Exported) -> None:
    """Run it with the window's `$files`; `CommandError` if they are not as documented.

    Then the window is not kept for the next run: it may have been bad luck.
    """
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
            window.doubt()
            says = f"the export of {window.hours} is not as documented: {first_line(error)}"
            raise CommandError(says) from error


def _repair(file: Path) -> None:
    with gzip.open(file) as lines, whole_file(file) as opened, gzip.open(opened, "wb", 1) as packed:
        packed.writelines(repaired(line) or line for line in lines)


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
