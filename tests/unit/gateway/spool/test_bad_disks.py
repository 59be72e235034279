"""A disk that fails in every way: nothing that was accepted is lost, and the edge goes on."""

import errno
import os
import resource
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.spool import disk, spooling
from gateway.spool import spool as spools
from gateway.spool.spool import Row, Spool
from schemas.kafka.batches import NotStored
from tests.eventually import eventually
from tests.unit.gateway.spool.spooling_edge import Edge, record, running, send
from tests.unit.gateway.spool.test_spool import BYTES_MAX, entry, names

USED = "the spool cannot be used, trying again"


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "LOOK_SECONDS", 0.002)


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process grows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_a_full_disk_does_not_take_is_refused_and_what_was_kept_stays(tmp_path: Path) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    spool.keep([entry("first")])
    with full_disk():
        with pytest.raises(sqlite3.Error):
            spool.keep([entry("second")])
        with pytest.raises(sqlite3.Error):
            spool.try_writing()
        assert names(spool) == ["first"]
    spool.keep([entry("third")])
    assert names(spool) == ["first", "third"]


async def test_a_full_disk_keeps_nothing_from_kafka_when_that_is_back(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        [worker] = edge.workers
        with capture_logs(), full_disk():
            edge.kafka.has_producer = False
            with pytest.raises(NotStored):
                await send(worker, [record("refused")])
            assert not await worker.probe()
            edge.kafka.has_producer = True
            await edge.emptied()
            await send(worker, [record("taken")])
        assert list(edge.kafka.stored(b"a")) == [b"taken"]


async def test_what_a_full_disk_does_not_let_go_is_not_sent_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as edge:
        [worker] = edge.workers
        edge.kafka.has_producer = False
        await send(worker, [record("1")])
        await send(worker, [record("2")])
        removals, remove = 0, worker.spool.remove

        def counted(rows: Sequence[Row], *, is_over: bool = False) -> None:
            nonlocal removals
            removals += bool(rows)
            remove(rows, is_over=is_over)

        monkeypatch.setattr(worker.spool, "remove", counted)
        with capture_logs(), full_disk():
            edge.kafka.has_producer = True
            await eventually(lambda: removals > 3)
        await edge.emptied()
        assert list(edge.kafka.stored(b"a")) == [b"1", b"2"]
        assert worker.spool.level.records == 0


def test_the_disk_is_left_the_room_that_it_takes_to_empty_the_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    spool.keep([entry("first")])
    blocks = os.statvfs(tmp_path)
    monkeypatch.setattr(disk, "FREE_BYTES", blocks.f_blocks * blocks.f_frsize)
    with pytest.raises(OSError, match="bytes left"):
        spool.keep([entry("second")])
    with pytest.raises(OSError, match="bytes left"):
        spool.try_writing()
    spool.remove(spool.first(BYTES_MAX))
    assert spool.gate.is_open


@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_a_spool_that_was_taken_away_takes_nothing_more_and_gives_what_it_has(
    tmp_path: Path, how: str
) -> None:
    """What is written to a deleted file ends with the process."""
    with capture_logs() as told:
        async with running(tmp_path / "spool") as edge:
            [worker] = edge.workers
            edge.kafka.has_producer = False
            await send(worker, [record("1")])
            shutil.rmtree(tmp_path / "spool")
            if how == "replaced":
                Spool(tmp_path / "spool", BYTES_MAX).close()
            with pytest.raises(NotStored):
                await send(worker, [record("2")])
            assert not await worker.probe()
            edge.kafka.has_producer = True
            await edge.emptied()
            await send(worker, [record("3")])
            assert list(edge.kafka.stored(b"a")) == [b"1", b"3"]
            await eventually(lambda: USED in [line["event"] for line in told])


def test_a_log_that_another_program_keeps_from_being_emptied_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "LOG_BYTES_MIN", 2_000_000)
    spool = Spool(tmp_path, 1_000_000)
    other = sqlite3.connect(tmp_path / "spool.sqlite", isolation_level=None)
    spool.keep([entry("first")])
    other.execute("BEGIN")
    other.execute("SELECT * FROM spooled").fetchone()

    def go_on() -> None:
        for _ in range(1_000):
            spool.remove(spool.first(1))
            spool.keep([entry("next")])

    with pytest.raises(OSError, match=r"spool.sqlite-wal grows"):
        go_on()
    assert (tmp_path / "spool.sqlite-wal").stat().st_size < 2_200_000
    other.close()
    spool._ask("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    spool.keep([entry("again")])


async def test_a_spool_that_cannot_be_read_is_told_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as edge:
        [worker] = edge.workers
        looks = 0

        def look() -> None:
            nonlocal looks
            looks += 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with capture_logs() as told:
            monkeypatch.setattr(worker.spool, "look", look)
            await eventually(lambda: looks > 10)
        assert [line["event"] for line in told] == [USED]


async def test_an_edge_ends_cleanly_when_the_spool_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = Edge(tmp_path)
    await edge.start()
    [worker] = edge.workers
    edge.kafka.has_producer = False
    await send(worker, [record("1")])

    def look() -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    monkeypatch.setattr(worker.spool, "look", look)
    with capture_logs() as told:
        await worker.stop()
    assert edge.kafka.is_stopped
    assert told[-1]["event"] == "records stay in the spool until an edge uses it again"


def test_nobody_else_may_read_the_directory(tmp_path: Path) -> None:
    Spool(tmp_path / "spool", BYTES_MAX).close()
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700


async def test_a_database_that_another_program_locks_hangs_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "BUSY_SECONDS", 0.05)
    with capture_logs() as told:
        async with running(tmp_path) as edge:
            [worker] = edge.workers
            edge.kafka.has_producer = False
            await send(worker, [record("1")])
            other = sqlite3.connect(tmp_path / "spool.sqlite", isolation_level=None)
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(NotStored, match="locked"):
                await send(worker, [record("2")])
            edge.kafka.has_producer = True
            await eventually(lambda: USED in [line["event"] for line in told])
            other.close()
            await edge.emptied()
            assert list(edge.kafka.stored(b"a")) == [b"1"]
