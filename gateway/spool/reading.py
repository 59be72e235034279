"""What waits in a spool, read beside the edges that use it: it changes nothing there."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from gateway.spool.spool import FILE, Entry, rows_of

AFTER = "SELECT number, topic, at_ms, records FROM spooled WHERE number > ? ORDER BY number"
LOT_BYTES = 4_000_000  # No lot is read for long: SQLite cannot empty its log meanwhile.


def waiting(directory: Path) -> Iterator[Entry]:
    """In the order in which they came. Raises `OSError` or `sqlite3.Error` if it cannot be read."""
    file = directory / FILE
    file.stat()
    last = 0
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
        while rows := rows_of(database.execute(AFTER, (last,)), LOT_BYTES):
            yield from (row.entry for row in rows)
            last = rows[-1].number
