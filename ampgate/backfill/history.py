"""What was exported, in the order of the events' own time: sorted in DuckDB, some hours at a time.

Each row gets a number, once: what was interrupted goes on with the same numbers. Events of the same
millisecond keep the order that the sender counted (`event_id`), else that of the export. What
Amplitude has twice, by `insert_id` and device, is there once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import duckdb

from ampgate.amplitude_read.database import Settings, opened_database, read_rows
from ampgate.amplitude_read.export import Exported

MEMORY = "300MB"
SORTED_AT_ONCE = 50_000  # Rows: some 50 MB.
ROWS = 2_000  # Read at once.
_READ = """
insert into exported
select json->>'event_time', try_cast(json->>'event_id' as bigint),
    nullif(json->>'$."$insert_id"', ''), json->>'device_id', json::varchar
from read_ndjson_objects($files, compression = 'gzip', maximum_object_size = 16000000)
"""
_HOURS = "select time[:13] as hour, count(*) from exported group by hour order by hour nulls first"
_DROP_COPIES = """
delete from exported where rowid in (
    select row from (
        select rowid as row, row_number() over (partition by id, device order by rowid) as copy
        from exported where id is not null)
    where copy > 1)
"""
# A row's number is its place in the table, from 1.
_SORT = """
insert into history
select line from exported where coalesce(time[:13], '') between ? and ?
order by time nulls first, number nulls first, rowid
"""


class History:
    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self._database = database

    def interrupt(self) -> None:
        """End the statement that a thread is in; from any other."""
        self._database.interrupt()

    def read(self, windows: Sequence[Exported]) -> None:
        """All rows of these; once."""
        self._database.execute(
            "create or replace table exported"
            " (time varchar, number bigint, id varchar, device varchar, line varchar)"
        )
        for window in windows:
            read_rows(self._database, _READ, window)
        self._database.execute(_DROP_COPIES)
        self._database.execute("create or replace table history (line varchar)")
        for first, last in self._ranges():
            self._database.execute(_SORT, [first, last])
        self._database.execute("drop table exported; create table whole (done boolean)")

    def _ranges(self) -> Iterator[tuple[str, str]]:
        """Hours that are sorted together, in memory: from and to, both included."""
        first, events = None, 0
        hours = self._database.execute(_HOURS).fetchall()
        for (hour, count), following in pairwise([*hours, (None, SORTED_AT_ONCE)]):
            first, events = first if first is not None else hour or "", events + count
            if events + following[1] > SORTED_AT_ONCE:
                yield first, hour or ""
                first, events = None, 0

    @property
    def is_read(self) -> bool:
        query = "select count(*) from information_schema.tables where table_name = 'whole'"
        row = self._database.execute(query).fetchone()
        return row is not None and row[0] == 1

    def __len__(self) -> int:
        row = self._database.execute("select count(*) from history").fetchone()
        return 0 if row is None else int(row[0])

    def rows(self, first: int) -> Iterator[list[tuple[int, str]]]:
        """From this number on, some at once; numbers begin with 1."""
        while True:
            query = "select rowid + 1, line from history where rowid >= ? and rowid < ? order by 1"
            found = self._database.execute(query, [first - 1, first - 1 + ROWS]).fetchall()
            if not found:
                return
            yield found
            first += ROWS


@contextmanager
def history(directory: Path) -> Iterator[History]:
    """In files of the directory; they stay."""
    settings: Settings = {"memory_limit": MEMORY, "threads": "1"}
    with opened_database(directory / "history.db", settings) as database:
        yield History(database)
