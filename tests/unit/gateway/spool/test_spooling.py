"""Several workers with one spool before a Kafka that fails in every way: nothing that was accepted
is lost, and the records of a key arrive in order."""

import asyncio
import random
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.spool import gate, spooling
from schemas.kafka.batches import NotStored, TooLargeForKafka
from tests.eventually import eventually
from tests.unit.gateway.spool.spooling_edge import Edge, record, running, send

KEYS = [b"a", b"b", b"c", b"d"]
EVENTS = 12  # Of each key.


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "LOOK_SECONDS", 0.002)
    monkeypatch.setattr(gate, "LOOK_SECONDS", 0.001)


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


async def test_a_write_without_records_keeps_nothing_back(tmp_path: Path) -> None:
    async with running(tmp_path) as edge:
        edge.kafka.has_producer = False
        await send(edge.workers[0], [])
        edge.kafka.has_producer = True
        await edge.emptied()
        await send(edge.workers[0], [record("1")])
        assert list(edge.kafka.stored(b"a")) == [b"1"]


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
