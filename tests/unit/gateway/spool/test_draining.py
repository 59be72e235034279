"""What leaves the spool for a Kafka that takes a part of it, or takes less than before."""

from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.spool import spooling
from schemas.kafka.batches import NotStored
from tests.eventually import eventually
from tests.unit.gateway.spool.spooling_edge import Edge, record, running, send


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "LOOK_SECONDS", 0.002)


async def test_a_topic_that_kafka_does_not_take_keeps_no_other_back(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        [worker] = edge.workers
        edge.kafka.taken_away = {"deleted"}
        await send(worker, [record("1")], "deleted")
        for number in range(20):
            await send(worker, [record(f"{number}")])
            await send(worker, [record("2")], "deleted")
        await eventually(lambda: len(list(edge.kafka.stored(b"a"))) == 20)
        assert worker.is_spooling
        assert not worker.spool.gate.is_closing
        edge.kafka.taken_away.clear()
        await edge.emptied()
        assert list(edge.kafka.stored(b"a")) == [
            *(b"%d" % n for n in range(20)),
            b"1",
            *[b"2"] * 20,
        ]


async def test_while_all_goes_to_the_disk_readiness_is_the_disks(tmp_path: Path) -> None:
    """Kafka takes the probe, but the spool has no room for what waits behind another topic."""
    edge = Edge(tmp_path, bytes_max=200_000)
    await edge.start()
    [worker] = edge.workers
    edge.kafka.taken_away = {"deleted"}
    with suppress(NotStored):
        while True:
            await send(worker, [record("x" * 900)], "deleted")
    assert await edge.kafka.probe()
    assert not await worker.probe()
    edge.kafka.taken_away.clear()
    await edge.emptied()
    assert await worker.probe()
    await worker.stop()


async def test_a_record_that_turns_out_to_be_too_large_is_overtaken_by_none(tmp_path: Path) -> None:
    """Kafka does not always tell its limit before: then it refuses what was sent."""
    async with running(tmp_path) as edge:
        [worker] = edge.workers
        edge.kafka.has_producer = False
        for value in ("1", "large" * 20, "2"):
            await send(worker, [record(value)])
        edge.kafka.of(b"a").largest = 50
        edge.kafka.has_producer = True
        await eventually(lambda: bool(edge.kafka.letters))
        await edge.emptied()
        assert list(edge.kafka.stored(b"a")) == [b"1", b"2"]
        assert [letter.value for letter in edge.kafka.letters] == [b"large"]


async def test_what_comes_and_goes_is_told_once_a_minute(tmp_path: Path) -> None:
    with capture_logs() as told:
        async with running(tmp_path) as edge:
            for _ in range(3):
                edge.kafka.has_producer = False
                await send(edge.workers[0], [record("1")])
                edge.kafka.has_producer = True
                await edge.emptied()
    assert [line["event"] for line in told] == [
        "records leave the spool for Kafka",
        "the spool is empty, records go straight to Kafka",
    ]
