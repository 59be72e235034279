"""What comes while the disk is busy is written together, in its turn, to the last."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.spool import gate
from gateway.spool.keeping import Keeping
from gateway.spool.one_thread import OneThread
from gateway.spool.spool import Spool
from schemas.kafka.batches import NotStored
from tests.eventually import eventually
from tests.unit.gateway.spool.test_spool import BYTES_MAX, entry, names


@pytest.fixture
async def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Spool]:
    monkeypatch.setattr(gate, "PATIENCE_SECONDS", 60.0)
    made = Spool(tmp_path, BYTES_MAX)
    yield made
    made.close()


@pytest.fixture
async def keeping(spool: Spool) -> AsyncIterator[Keeping]:
    thread = OneThread("spool")
    yield Keeping(spool, thread, lambda _: None)
    thread.end()


def is_ahead(spool: Spool) -> None:
    """More has come in than half of what the drain took out."""
    spool.gate.shut()
    spool.gate.drain(is_last=False)
    spool.gate.kept(1_000)


async def test_what_waits_for_its_turn_is_written_before_the_end(
    spool: Spool, keeping: Keeping
) -> None:
    is_ahead(spool)
    first = keeping.keep(entry("first"))
    await asyncio.sleep(0)
    second = keeping.keep(entry("second"))
    ending = asyncio.ensure_future(keeping.end())
    for _ in range(10):
        await asyncio.sleep(0.001)
    assert spool.look().records == 0, "it came in before its turn"
    assert not ending.done()
    spool.gate.drained(10_000)
    await ending
    await asyncio.gather(first.ended(), second.ended())
    assert names(spool) == ["first", "second"]


async def test_what_comes_as_others_are_written_is_written_next(
    spool: Spool, keeping: Keeping
) -> None:
    writes = [keeping.keep(entry("0"))]
    writes[0].then = lambda: writes.append(keeping.keep(entry("1")))
    await eventually(lambda: len(writes) == 2)
    await asyncio.gather(*(write.ended() for write in writes))
    assert names(spool) == ["0", "1"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (sqlite3.OperationalError("full"), "the spool takes no records, requests are answered 503"),
        (OSError("away"), "the spool takes no records, requests are answered 503"),
        (ValueError("ours"), "records could not be spooled, requests are answered 503"),
    ],
)
async def test_a_disk_that_fails_is_told_once_a_minute_and_a_defect_with_its_traceback(
    spool: Spool,
    keeping: Keeping,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    told: str,
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(spool, "keep", fail)
    with capture_logs() as lines:
        for _ in range(2):
            with pytest.raises(NotStored, match=str(error)):
                await keeping.keep(entry("lost")).ended()
    is_defect = isinstance(error, ValueError)
    assert [line["event"] for line in lines] == [told] * (2 if is_defect else 1)
    assert ("exc_info" in lines[0]) is is_defect


async def test_what_comes_after_the_end_is_not_stored(spool: Spool, keeping: Keeping) -> None:
    with capture_logs() as lines:
        await keeping.end()
        with pytest.raises(NotStored, match="ends"):
            await keeping.keep(entry("late")).ended()
    assert names(spool) == []
    assert lines == []
