"""A full disk is told in one sentence, and an interruption ends what a thread asks for."""

import asyncio
import gzip
import resource
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from ampgate.amplitude_read.database import in_thread, opened_database

FOR_HOURS = "select sum(a.range * b.range) from range(1000000000) a, range(1000000000) b"
# No disk is filled: a file that may not grow fails alike.
SCRIPT = """
import resource, sys
from pathlib import Path
from ampgate.amplitude_read.export import Exported
from ampgate.amplitude_read.hours import Hours
from ampgate.backfill.history import history
from ampgate.errors import CommandError

directory = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, int(sys.argv[2])))
try:
    with history(directory) as found:
        found.read([Exported(Hours(1, 1), directory, 20_000, 1)])
except CommandError as error:
    print(error)
"""


def test_a_disk_that_is_full_is_told_in_a_sentence(tmp_path: Path) -> None:
    row = '{"event_time":"2026-01-05 09:00:00.1","event_id":%d,"device_id":"%040d"}\n'
    rows = "".join(row % (number, number) for number in range(20_000))
    (tmp_path / "0.json.gz").write_bytes(gzip.compress(rows.encode()))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path), str(hard)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.startswith(f"{tmp_path}: "), ended.stderr
    assert "Could not write" in ended.stdout


@pytest.mark.parametrize("milliseconds", [0, 1, 2, 5, 10, 50])
async def test_what_is_interrupted_ends_as_interrupted(tmp_path: Path, milliseconds: int) -> None:
    """Not with an error of the database, wherever the thread is: before, in, or between two
    statements. Closing the database would wait for its end, which nobody can interrupt then.
    """

    def ask(database: duckdb.DuckDBPyConnection) -> None:
        for _ in range(1000):
            database.execute("select 1")
        loop.call_soon_threadsafe(has_begun.set)
        time.sleep(0.003)
        database.execute(FOR_HOURS)

    async def work() -> None:
        with opened_database(tmp_path / "some.db", {"threads": "1"}) as database:
            await in_thread(database.interrupt, ask, database)

    loop, has_begun = asyncio.get_running_loop(), asyncio.Event()
    working = asyncio.create_task(work())
    await has_begun.wait()
    await asyncio.sleep(milliseconds / 1000)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working


async def test_what_a_call_in_a_thread_raises_is_raised(tmp_path: Path) -> None:
    with opened_database(tmp_path / "some.db", {}) as database:

        def ask() -> None:
            database.execute("select no such")

        with pytest.raises(duckdb.Error):
            await in_thread(database.interrupt, ask)
