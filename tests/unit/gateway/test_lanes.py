"""Batches that requests share, against aiokafka's own accumulator: all but the network."""

import asyncio
from typing import Any

from aiokafka.cluster import ClusterMetadata
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.structs import TopicPartition

from gateway.lanes import Lane
from schemas.records import NewRecord

RECORD = NewRecord(b"key", b"{}")
PARTITION = TopicPartition("topic", 0)
NOW_MS = 1_800_000_000_000


class Producer:
    """A producer whose sender is the test: it takes what waits when it is told to."""

    def __init__(self) -> None:
        transactions = TransactionManager(None, 60_000)
        transactions.set_pid_and_epoch(1, 0)
        self._message_accumulator = MessageAccumulator(
            ClusterMetadata(), 900, 0, 30, txn_manager=transactions
        )
        self.handed_over = asyncio.Event()

    async def send_batch(self, batch: Any, topic: str, partition: int) -> Any:  # noqa: ANN401
        handed = TopicPartition(topic, partition)
        acknowledged = await self._message_accumulator.add_batch(batch, handed, 30)
        self.handed_over.set()
        return acknowledged

    def take(self) -> Any:  # noqa: ANN401  aiokafka has no types.
        """As aiokafka's sender does before it builds the request, a step of the loop later."""
        self.handed_over.clear()
        return self._message_accumulator._pop_batch(PARTITION)


def a_lane(producer: Producer) -> Lane:
    return Lane(lambda: producer, 30.0, PARTITION.topic, PARTITION.partition)


async def test_what_comes_until_the_sender_takes_a_batch_goes_with_it() -> None:
    producer = Producer()
    lane = a_lane(producer)
    first = lane.add([RECORD], NOW_MS)
    await producer.handed_over.wait()
    assert lane.add([RECORD], NOW_MS) == first

    taken = producer.take()
    [later] = lane.add([RECORD], NOW_MS)  # It would not be counted any more.
    assert {later} != first
    assert taken.record_count == 2

    taken.done(0)
    await asyncio.wait(first)
    assert not later.done()
    await producer.handed_over.wait()
    rest = producer.take()
    assert rest.record_count == 1
    rest.done(2)
    await later


async def test_no_batch_grows_beyond_its_size() -> None:
    producer = Producer()
    lane = a_lane(producer)
    stored = lane.add([NewRecord(b"key", b"x" * 100)] * 20, NOW_MS)
    counts = []
    for _ in range(len(stored)):
        await producer.handed_over.wait()
        taken = producer.take()
        counts.append(taken.record_count)
        assert len(taken.get_data_buffer()) <= 900
        taken.done(0)
    await asyncio.wait(stored)
    assert sum(counts) == 20
    assert all(flush.exception() is None for flush in stored)


async def test_after_a_failure_records_begin_a_batch_of_their_own() -> None:
    producer = Producer()
    lane = a_lane(producer)
    failed = lane.add([RECORD], NOW_MS)
    await producer.handed_over.wait()
    producer.take().failure(ConnectionError("gone"))
    await asyncio.wait(failed)

    [stored] = lane.add([RECORD], NOW_MS)
    await producer.handed_over.wait()
    producer.take().done(0)
    await asyncio.wait([stored])
    assert stored.exception() is None
