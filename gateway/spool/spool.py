"""Records on disk, in the order in which they came, until Kafka has them.

An SQLite database in WAL mode, whose every commit is on the disk before it returns
(`synchronous = FULL`, https://www.sqlite.org/pragma.html#pragma_synchronous): what a process that
was killed, or a machine that lost power, left unfinished is not there when it is opened again.
Several processes may use it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway.spool.disk import Disk
from gateway.spool.gate import Gate
from gateway.spool.locks import Lock, alone
from schemas.records import NewRecord

BUSY_SECONDS = 5.0  # Another process may be writing.
SHRINK_PAGES = 1_000  # 16 MB, given back to the file system at a time.
# Pages of 16 kB take half the time for rows of 60 kB. Debian's SQLite overwrites what is deleted.
PRAGMAS = (
    *("page_size = 16384", "auto_vacuum = INCREMENTAL", "journal_mode = WAL"),
    *("synchronous = FULL", "secure_delete = OFF"),
)
SCHEMA = """
CREATE TABLE IF NOT EXISTS spooled (
    number INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    count INTEGER NOT NULL,
    records BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_topic ON spooled (topic);
CREATE TABLE IF NOT EXISTS total (records INTEGER NOT NULL);
INSERT INTO total SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM total);
"""
ALL = "SELECT number, topic, at_ms, records FROM spooled ORDER BY number"
OF_TOPIC = "SELECT number, topic, at_ms, records FROM spooled WHERE topic = ? ORDER BY number"
FILE = "spool.sqlite"
VERSION = 1  # Of the tables; one who changes them counts it up.
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[NewRecord]).decode


class Entry(NamedTuple):
    """Records of one request for one topic; accepted at this time, in ms since the epoch."""

    topic: str
    at_ms: int
    records: Sequence[NewRecord]


class Row(NamedTuple):
    number: int
    size: int
    entry: Entry


def rows_of(asked: sqlite3.Cursor, size: int) -> list[Row]:
    """The first of them: as many as have so many bytes, and the one behind them."""
    rows: list[Row] = []
    while size >= 0 and (found := asked.fetchone()):
        number, topic, at_ms, records = found
        rows.append(Row(number, len(records), Entry(topic, at_ms, _decode(records))))
        size -= len(records)
    asked.close()
    return rows


def bytes_of(rows: Sequence[Row]) -> int:
    return sum(row.size for row in rows)


class Level(NamedTuple):
    """What is in the spool, and when the oldest of it was accepted, in ms since the epoch."""

    records: int = 0
    size: int = 0
    oldest_ms: int | None = None


class Spool:
    """Its methods block: call them in one thread of its own."""

    def __init__(self, directory: Path, bytes_max: int) -> None:
        """Raises `OSError` or `sqlite3.Error` if the directory cannot be used."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.bytes_max = bytes_max
        self.gate = Gate(directory / "gate")
        self.drain_lock = Lock(directory / "drain.lock")
        file = directory / FILE
        self._database = sqlite3.connect(
            file,
            check_same_thread=False,
            isolation_level=None,
            timeout=BUSY_SECONDS,
        )
        self._ask = self._database.execute
        with alone(directory / "open.lock"):  # SQLite lets two not make a database at once.
            for pragma in PRAGMAS:
                self._ask(f"PRAGMA {pragma}")
            self._make_tables()
        self.disk = Disk(file, directory / "gate", bytes_max)
        self._page = self._number("PRAGMA page_size")
        self._ask(f"PRAGMA max_page_count = {bytes_max // self._page}")
        self.level = Level()  # When it was last looked at.
        self.settle()
        self.look()

    def _make_tables(self) -> None:
        version = self._number("PRAGMA user_version")
        if version > VERSION:
            raise sqlite3.DatabaseError(f"made by a later version ({version})")
        self._database.executescript(SCHEMA)
        if version < VERSION:
            self._ask(f"PRAGMA user_version = {VERSION}")

    def close(self) -> None:
        self._database.close()
        self.drain_lock.close()
        self.gate.close()

    def keep(self, entries: Sequence[Entry]) -> None:
        """On the disk when it returns; `sqlite3.Error` if not, and then none of them is kept."""
        rows = [(one.topic, one.at_ms, len(one.records), _encode(one.records)) for one in entries]
        size = sum(len(records) for _, _, _, records in rows)
        self.disk.require(size)
        with self._writing():
            self.gate.kept(size)
            insert = "INSERT INTO spooled (topic, at_ms, count, records) VALUES (?, ?, ?, ?)"
            self._database.executemany(insert, rows)
            self._add(sum(count for _, _, count, _ in rows))
        self.look()

    def topics(self) -> list[str]:
        """Of which records wait. `DISTINCT` would look at each of a million rows."""
        found, last = list[str](), ""
        next_one = "SELECT min(topic) FROM spooled WHERE topic > ?"
        while topic := self._ask(next_one, (last,)).fetchone()[0]:
            found.append(last := topic)
        return found

    def first(self, size: int, topic: str | None = None) -> list[Row]:
        """The oldest, or the oldest of this topic, of so many bytes and one more. If they are all,
        the gate is closing: what comes waits a moment, else there would be no end under load.

        Of no bytes it is one row, for a trial: the gate stays as it is.
        """
        if not size:
            return self._rows(size, topic)
        with self._writing():
            if rows := self._rows(size, topic):
                self.gate.drain(is_last=topic is None and bytes_of(rows) <= size)
        return rows

    def _rows(self, size: int, topic: str | None) -> list[Row]:
        asked = self._ask(ALL) if topic is None else self._ask(OF_TOPIC, (topic,))
        return rows_of(asked, size)

    def remove(self, rows: Sequence[Row], *, is_over: bool = False) -> None:
        """Kafka has them; `is_over` if it takes no more now. The gate opens if nothing is left."""
        with self._writing():
            numbers = [(row.number,) for row in rows]
            self._database.executemany("DELETE FROM spooled WHERE number = ?", numbers)
            self._add(-sum(len(row.entry.records) for row in rows))
            self.gate.drained(bytes_of(rows))
            if is_over or not self._is_left():
                self._settle()
        self.look()

    def look(self) -> Level:
        """How much is in it now, by any process."""
        records = self._number("SELECT records FROM total")
        oldest = self._ask("SELECT at_ms FROM spooled ORDER BY number LIMIT 1").fetchone()
        self.level = Level(records, self._used(), oldest[0]) if oldest else Level()
        return self.level

    def settle(self) -> None:
        """Open the gate if nothing is left, else shut it."""
        if not (self.gate.is_shut if self._is_left() else self.gate.is_open):
            with self._writing():
                self._settle()

    def shrink(self) -> None:
        """Give free space back to the file system."""
        if self._number("PRAGMA freelist_count"):
            # A script, as `execute` frees one page only: it takes the first step of a statement.
            self._database.executescript(f"PRAGMA incremental_vacuum({SHRINK_PAGES})")
            self._ask("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def try_writing(self) -> None:
        """Raises `sqlite3.Error` if the disk takes nothing now."""
        self.disk.require(0)
        with self._writing():
            self._add(1)
            self._add(-1)  # SQLite does not write what has not changed at all.

    def _settle(self) -> None:
        """The gate is open if nothing is left; the database is locked for writing."""
        if self._is_left():
            self.gate.shut()
        else:
            self._ask("UPDATE total SET records = 0")  # If one was taken out twice.
            self.gate.open()

    def _is_left(self) -> bool:
        return self._ask("SELECT 1 FROM spooled LIMIT 1").fetchone() is not None

    def _add(self, records: int) -> None:
        self._ask("UPDATE total SET records = records + ?", (records,))

    def _used(self) -> int:
        pages = self._number("PRAGMA page_count") - self._number("PRAGMA freelist_count")
        return pages * self._page

    def _number(self, asked: str) -> int:
        return int(self._ask(asked).fetchone()[0])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._ask("BEGIN IMMEDIATE")
        try:
            yield
            self._ask("COMMIT")
        finally:
            if self._database.in_transaction:
                self._ask("ROLLBACK")
