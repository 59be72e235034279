"""Joins what was sent with what Amplitude has, on disk, in DuckDB.

An event is one `insert_id` and who did it: Amplitude counts the same `insert_id` of two devices
twice, and of one device once in seven days (amplitude.md#deduplication). Who is the device, or
without one the user: then Amplitude makes up a device, the same for each event of that user.

Ids are compared by their MD5, which takes 16 bytes in memory however long they are. The join goes
bucket by bucket of them, so that each fits in memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from ampgate.amplitude_read.database import Settings, opened_database, read_rows
from ampgate.amplitude_read.export import Exported
from ampgate.reconcile import statements

MEMORY = "200MB"
THREADS = 2
BUCKETS = 64  # As `bucket_of` has it.
BUCKET_ROWS = 500_000  # So many at once in memory.


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one event type: how many events, by what became of them."""

    event_type: str
    delivered: int  # found + missing + pending + not_exported.
    found: int
    missing: int  # Accepted by Amplitude, and then dropped.
    foreign: int  # In Amplitude, and not from here.
    counted_twice: int
    late: int  # Found, but uploaded an hour or more after they were accepted here.
    pending: int  # Amplitude does not show their hour yet.
    not_exported: int  # Property updates.
    repeated: int  # Records more than events: sent again with their insert_id.


class Comparison:
    """`with comparison(file):` tables on disk; nothing grows in memory with the events."""

    def __init__(self, database: duckdb.DuckDBPyConnection, from_ms: int, to_ms: int) -> None:
        self._database = database
        self._range = {"from_ms": from_ms, "to_ms": to_ms}
        database.execute(statements.TABLES)

    def interrupt(self) -> None:
        """End the statement that a thread is in; from any other."""
        self._database.interrupt()

    def read_sent(self, sent: Path, traces: Path) -> None:
        self._database.execute(statements.READ_SENT, {"file": str(sent)})
        self._database.execute(statements.READ_TRACES, {"file": str(traces)})
        self._database.execute(statements.DELIVERED, self._range)
        self._database.execute("drop table sent; drop table traces")

    def first_ms(self) -> int | None:
        """When the first of those that were delivered was accepted."""
        row = self._database.execute("select min(accepted) from delivered").fetchone()
        return None if row is None else row[0]

    def read_rows(self, window: Exported) -> None:
        read_rows(self._database, statements.READ_ROWS, window)

    def compare(self) -> None:
        """Of all that was read; again after more was."""
        self._database.execute("delete from verdicts; delete from surplus")
        for first, last in self._bucket_ranges():
            some = {"first": first, "last": last}
            for statement in statements.SOME:
                asked = {**some, **self._range}
                used = {name: value for name, value in asked.items() if f"${name}" in statement}
                self._database.execute(statement, used)
        self._database.execute(statements.NAMELESS, self._range)

    def outcomes(self, complete: Iterable[int]) -> list[Outcome]:
        """By event type. `complete`: hours of which Amplitude has shown all."""
        found = self._database.execute(statements.RESULT, {"complete": list(complete)}).fetchall()
        return [Outcome(*row) for row in found]

    def by_day(self, first_ms: int, last_ms: int) -> dict[tuple[str, str], int]:
        """How many were delivered, by event type and UTC day of the events' own time."""
        asked = {"first": first_ms, "last": last_ms}
        found = self._database.execute(statements.BY_DAY, asked).fetchall()
        return {(event_type, day): events for event_type, day, events in found}

    def missing_places(self, complete: Sequence[int]) -> Iterable[tuple[int, int, int]]:
        """Topic, partition and offset, in order."""
        found = self._database.execute(statements.MISSING, {"complete": list(complete)})
        while rows := found.fetchmany(10_000):
            yield from rows

    def empty_hours(self, complete: Sequence[int]) -> int:
        """Hours in which something was delivered, and of which Amplitude shows nothing at all."""
        row = self._database.execute(statements.EMPTY, {"complete": list(complete)}).fetchone()
        return 0 if row is None else int(row[0])

    def has_missing(self) -> bool:
        query = "select exists (from verdicts where state = 'missing')"
        row = self._database.execute(query).fetchone()
        return row is not None and bool(row[0])

    def _bucket_ranges(self) -> Iterable[tuple[int, int]]:
        query = "select (select count(*) from rows) + (select count(*) from delivered)"
        row = self._database.execute(query).fetchone()
        assert row is not None, "a count is always one row"
        at_once = max(1, BUCKETS * BUCKET_ROWS // max(1, row[0]))
        return [(n, n + at_once - 1) for n in range(0, BUCKETS, at_once)]


@contextmanager
def comparison(directory: Path, from_ms: int, to_ms: int) -> Iterator[Comparison]:
    """Its files are in the directory, and go with it."""
    settings: Settings = {
        "memory_limit": MEMORY,
        "threads": str(THREADS),
        "preserve_insertion_order": "false",
    }
    with opened_database(directory / "comparison.db", settings) as database:
        yield Comparison(database, from_ms, to_ms)
