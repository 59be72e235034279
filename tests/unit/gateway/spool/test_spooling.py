"""Several workers with one spool before a Kafka that fails in every way: nothing that was accepted
is lost, and the records of a key arrive in order."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.spool import gate, spooling
from gateway.spool.draining import Exit
from gateway.spool.spool import Spool
from gateway.spool.spooling import SpoolingLog
from schemas.kafka.batches import NotStored, TooLargeForKafka
from schemas.records import NewRecord
from tests.eventually import eventually
from tests.unit.gateway.spool.kafka_that_fails import KafkaThatFails

BYTES_MAX = 10_000_000
KEYS = [b"a", b"b", b"c", b"d"]
EVENTS = 12  # Of each key.


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "LOOK_SECONDS", 0.002)
    monkeypatch.setattr(gate, "LOOK_SECONDS", 0.001)


@dataclass
class Edge:
    """Workers that share a spool; Kafka is one."""

    directory: Path
    kafka: KafkaThatFails = field(default_factory=KafkaThatFails)
    suppressed: set[bytes | None] = field(default_factory=set)
    is_known: bool = True
    kept: int = 0
    bytes_max: int = BYTES_MAX
    workers: list[SpoolingLog] = field(default_factory=list)

    async def _unsuppressed(self, _: str, records: Sequence[NewRecord]) -> Sequence[NewRecord]:
        return [one for one in records if one.key not in self.suppressed]

    def _count(self, records: int) -> None:
        self.kept += records

    def worker(self) -> SpoolingLog:
        return SpoolingLog(
            self.kafka,
            Spool(self.directory, self.bytes_max),
            Exit(
                is_known=lambda: self.is_known,
                unsuppressed=self._unsuppressed,
                dead_letters="letters",
                too_large=lambda record, _: NewRecord(record.key, record.value[:5]),
            ),
            self._count,
        )

    async def start(self, workers: int = 1) -> None:
        self.workers = [self.worker() for _ in range(workers)]
        for worker in self.workers:
            await worker.start()

    async def emptied(self) -> None:
        await eventually(lambda: not any(one.is_spooling for one in self.workers))


@asynccontextmanager
async def running(directory: Path, workers: int = 1) -> AsyncIterator[Edge]:
    edge = Edge(directory)
    await edge.start(workers)
    yield edge
    for worker in edge.workers:
        await worker.stop()


async def send(worker: SpoolingLog, records: Sequence[NewRecord]) -> None:
    """As a request does it."""
    write = worker.begin("events", records)
    if write is None:
        await worker.append("events", records)
    else:
        await write.ended()


def record(value: str, key: bytes = b"a") -> NewRecord:
    return NewRecord(key, value.encode(), [("source", b"shop")])


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32))
async def test_nothing_accepted_is_lost_and_the_order_of_each_key_holds(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    drawn = random.Random(seed)
    async with running(tmp_path_factory.mktemp("spool"), workers=3) as edge:
        accepted: dict[bytes, list[bytes]] = {key: [] for key in KEYS}

        async def sender(key: bytes) -> None:
            for number in range(EVENTS):
                values = [f"{number}.{part}" for part in range(drawn.randint(1, 3))]
                records = [record(value, key) for value in values]
                records.insert(0, record("between", drawn.choice(KEYS) + b"-other"))
                while True:
                    try:
                        await send(drawn.choice(edge.workers), records)
                    except NotStored:
                        continue
                    break
                accepted[key] += [value.encode() for value in values]
                await asyncio.sleep(drawn.choice([0, 0, 0.001, 0.004]))

        async def faults() -> None:
            while True:
                await asyncio.sleep(drawn.choice([0, 0.001, 0.005]))
                edge.kafka.has_producer = drawn.random() < 0.6
                for partition in edge.kafka.partitions:
                    partition.is_up = drawn.random() < 0.6
                    partition.loses_answers = drawn.random() < 0.2

        failing = asyncio.create_task(faults())
        await asyncio.gather(*map(sender, KEYS))
        failing.cancel()
        edge.kafka.has_producer = True
        for partition in edge.kafka.partitions:
            partition.is_up, partition.loses_answers = True, False
        await edge.emptied()
        for key in KEYS:
            # What Kafka stored and did not acknowledge stands twice; the first place counts.
            assert list(dict.fromkeys(edge.kafka.stored(key))) == accepted[key]


async def test_while_kafka_is_well_nothing_touches_the_disk(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        await asyncio.gather(*(send(edge.workers[0], [record(f"{n}")]) for n in range(20)))
        assert edge.kept == 0
        assert len(list(edge.kafka.stored(b"a"))) == 20


async def test_a_record_keeps_the_time_when_it_was_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling, "_now_ms", lambda: 1_234)
    async with running(tmp_path) as edge:
        edge.kafka.has_producer = False
        await send(edge.workers[0], [record("early")])
        edge.kafka.has_producer = True
        await edge.emptied()
        assert [at_ms for at_ms, _ in edge.kafka.of(b"a").stored] == [1_234]


async def test_load_without_pause_does_not_keep_the_spool_from_ending(tmp_path: Path) -> None:
    async with running(tmp_path, workers=2) as edge:
        edge.kafka.has_producer = False
        over = asyncio.Event()

        async def sender(key: bytes) -> None:
            while not over.is_set():
                await send(random.choice(edge.workers), [record("x", key)])

        sending = [asyncio.create_task(sender(b"%d" % number)) for number in range(20)]
        await eventually(lambda: edge.kept > 200)
        edge.kafka.has_producer = True
        await edge.emptied()
        over.set()
        await asyncio.gather(*sending)


async def test_what_is_left_by_a_process_that_ended_leaves_with_the_next(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    edge.kafka.has_producer = False
    await edge.start()
    await send(edge.workers[0], [record("1"), record("2")])
    await edge.workers[0].stop()
    edge.kafka.has_producer = True
    await edge.start()
    assert edge.workers[0].is_spooling
    await send(edge.workers[0], [record("3")])
    await edge.emptied()
    assert list(edge.kafka.stored(b"a")) == [b"1", b"2", b"3"]
    await edge.workers[0].stop()


async def test_a_process_that_ended_while_the_gate_was_closing_stops_nobody(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        edge.workers[0].spool.gate.drain(is_last=True)
        await send(edge.workers[0], [record("1")])
        await edge.emptied()
        assert list(edge.kafka.stored(b"a")) == [b"1"]


async def test_until_it_is_known_who_is_suppressed_all_is_spooled_and_then_looked_at(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as edge:
        edge.is_known = False
        await send(edge.workers[0], [record("1", b"a"), record("2", b"b")])
        assert edge.kept == 2
        edge.suppressed.add(b"b")
        edge.is_known = True
        await edge.emptied()
        assert list(edge.kafka.stored(b"a")) == [b"1"]
        assert list(edge.kafka.stored(b"b")) == []


async def test_a_record_that_its_topic_no_longer_takes_leaves_as_a_dead_letter(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as edge:
        edge.kafka.has_producer = False
        with pytest.raises(TooLargeForKafka):
            await send(edge.workers[0], [record("x" * 1_001)])
        await send(edge.workers[0], [record("1"), record("large" * 20), record("2")])
        await send(edge.workers[0], [record("3")])
        edge.kafka.largest = 50
        edge.kafka.has_producer = True
        await edge.emptied()
        assert list(edge.kafka.stored(b"a")) == [b"1", b"2", b"3"]
        assert [letter.value for letter in edge.kafka.letters] == [b"large"]


async def test_a_full_spool_refuses_and_takes_more_once_kafka_is_back(tmp_path: Path) -> None:
    edge = Edge(tmp_path, bytes_max=200_000)
    edge.kafka.has_producer = False
    await edge.start()
    worker, accepted = edge.workers[0], 0
    assert await worker.probe()
    with suppress(NotStored):
        while True:
            await send(worker, [record("x" * 900)])
            accepted += 1
    assert not await worker.probe()
    edge.kafka.has_producer = True
    await edge.emptied()
    assert await worker.probe()
    await send(worker, [record("last")])
    assert len(list(edge.kafka.stored(b"a"))) == accepted + 1
    await worker.stop()
