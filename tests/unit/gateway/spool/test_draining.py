"""What leaves the spool for a Kafka that takes a part of it, or takes less than before."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.spool import draining, spooling
from gateway.spool.draining import Drain, Exit
from gateway.spool.one_thread import OneThread
from gateway.spool.spool import Entry, Level, Spool
from schemas.kafka.batches import NotStored
from schemas.records import NewRecord
from tests.eventually import DEADLINE_SECONDS, eventually
from tests.unit.gateway.spool.kafka_that_fails import KafkaThatFails
from tests.unit.gateway.spool.spooling_edge import BYTES_MAX, Edge, record, running, send


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


@pytest.fixture
async def drain(tmp_path: Path) -> AsyncIterator[Drain]:
    """It runs when it is told to; what it sees of topic `fed` brings more of that."""
    spool, thread = Spool(tmp_path, BYTES_MAX), OneThread("spool")

    async def unsuppressed(topic: str, records: Sequence[NewRecord]) -> Sequence[NewRecord]:
        if topic == "fed":
            spool.keep([Entry(topic, 1, records)])
        return records

    leaving = Exit(lambda: True, unsuppressed, "letters", lambda record, _: record)
    yield Drain(KafkaThatFails(), spool, thread, leaving)
    thread.end()
    spool.close()


async def test_a_topic_that_is_refused_is_asked_once_and_the_others_have_an_end(
    drain: Drain,
) -> None:
    kafka, spool = drain._kafka, drain._spool
    assert isinstance(kafka, KafkaThatFails)
    kafka.taken_away = {"deleted"}
    spool.keep([Entry(topic, 1, [record(topic)]) for topic in ("deleted", "fed", "events")])
    async with asyncio.timeout(DEADLINE_SECONDS):
        await drain.run()
    assert (kafka.asked["deleted"], kafka.asked["events"]) == (1, 1)
    assert spool.topics() == ["deleted", "fed"]
    assert spool.gate.is_shut


async def test_nothing_leaves_before_it_is_known_who_is_suppressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as edge:
        [worker] = edge.workers
        edge.is_known = False
        await send(worker, [record("1")])
        looks, look = 0, worker.spool.look

        def counted() -> Level:
            nonlocal looks
            looks += 1
            return look()

        monkeypatch.setattr(worker.spool, "look", counted)
        await eventually(lambda: looks > 6)
        assert list(edge.kafka.stored(b"a")) == []
        edge.is_known = True
        await edge.emptied()
        assert list(edge.kafka.stored(b"a")) == [b"1"]


async def test_an_edge_that_ends_waits_for_the_lot_on_its_way_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "LOT_BYTES", 1)
    monkeypatch.setattr(spooling, "STOP_SECONDS", 60.0)
    edge = Edge(tmp_path)
    edge.kafka.has_producer = False
    await edge.start()
    [worker] = edge.workers
    worker.spool.keep([Entry("events", 1, [record(f"{number}")]) for number in range(300)])
    edge.kafka.has_producer = True
    await eventually(lambda: bool(edge.kafka.of(b"a").stored))
    await worker.stop()
    stored = len(list(edge.kafka.stored(b"a")))
    assert 0 < stored < 300
    assert Spool(tmp_path, BYTES_MAX).level.records == 300 - stored
