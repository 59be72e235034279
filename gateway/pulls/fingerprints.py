"""What the last runs saw of each object, so that only what changed is produced.

A cache on disk of what the topic of fingerprints holds: two million objects take 130 MB there and
no memory. It is made anew from the topic by whoever runs the pull next.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

VERSION_BYTES = 8
GONE_AT_ONCE = 1_000
SCHEMA = """
CREATE TABLE objects (
    id BLOB PRIMARY KEY, version BLOB NOT NULL, run INTEGER NOT NULL
) WITHOUT ROWID
"""


def version_of(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=VERSION_BYTES).digest()


class Fingerprints:
    """Of one pull. Its methods block: call them in a thread.

    A cancelled task leaves its thread behind, and SQLite's connection ends the process (SIGSEGV)
    if it is closed under a statement. So there is a lock, and whoever comes after `close` gets a
    `sqlite3.ProgrammingError`.
    """

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16000"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute(SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def differing(self, objects: Sequence[tuple[str, bytes]]) -> list[bool]:
        """Of each id and version, whether it is not the one that is kept."""
        find = self._database.execute
        statement = "SELECT 1 FROM objects WHERE id = ? AND version = ?"
        rows = [(_key(object_id), version) for object_id, version in objects]
        with self._lock:
            return [find(statement, row).fetchone() is None for row in rows]

    def keep(self, objects: Iterable[tuple[str, bytes]], run: int) -> None:
        """These are the newest versions, seen by this run."""
        rows = [(_key(id_), version, run) for id_, version in objects]
        self._many("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", rows)

    def drop(self, ids: Iterable[str]) -> None:
        self._many("DELETE FROM objects WHERE id = ?", [(_key(id_),) for id_ in ids])

    def unseen(self, run: int) -> Iterator[list[str]]:
        """The ids that the run did not see, some at a time; drop each lot before the next."""
        statement = "SELECT id FROM objects WHERE run <> ? LIMIT ?"
        while rows := self._all(statement, (run, GONE_AT_ONCE)):
            yield [row[0].decode("utf-8", "surrogatepass") for row in rows]

    def _all(self, statement: str, values: Sequence[object]) -> list[tuple[bytes, ...]]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def _many(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self._lock:
            self._database.execute("BEGIN")
            self._database.executemany(statement, rows)
            self._database.execute("COMMIT")


def _key(object_id: str) -> bytes:
    return object_id.encode("utf-8", "surrogatepass")
