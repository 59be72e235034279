"""Batches that requests share, against aiokafka's own accumulator: all but the network."""

import asyncio
from collections.abc import Collection, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import (
    MessageSizeTooLargeError,
    UnknownError,
    UnsupportedForMessageFormatError,
)
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.record.memory_records import MemoryRecords
from structlog.testing import capture_logs

from schemas.kafka.batches import Lane, NotStored, TooLargeForKafka, Way
from schemas.kafka.compression import CODECS, Compression, UnsupportedCompressionTypeError
from schemas.kafka.numbering import EPOCH_MAX
from schemas.kafka.outage import Outage
from schemas.kafka.sizes import Sizes
from schemas.records import NewRecord, TopicPartition

RECORD = NewRecord(b"key", b"{}")
PARTITION = TopicPartition("topic", 0)
NOW_MS = 1_800_000_000_000


class Accumulator(MessageAccumulator):  # type: ignore[misc]  # aiokafka has no types.
    """aiokafka's own; it says when a batch was handed over."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **named)
        self.handed_over = asyncio.Event()

    def _append_batch(self, builder: Any, tp: Any) -> Any:  # noqa: ANN401
        self.handed_over.set()
        return super()._append_batch(builder, tp)


class Producer:
    """A producer whose sender is the test: it takes what waits when it is told to."""

    def __init__(self) -> None:
        transactions = TransactionManager(None, 60_000)
        transactions.set_pid_and_epoch(1, 0)
        cluster = ClusterMetadata()
        self.client = SimpleNamespace(cluster=cluster)
        self._message_accumulator = Accumulator(cluster, 900, 0, 30, txn_manager=transactions)
        self.handed_over = self._message_accumulator.handed_over
        self.replacements = 0
        self.learns([PARTITION.partition])

    def learns(self, partitions: Sequence[int]) -> None:
        self.client.cluster._partitions[PARTITION.topic] = {
            number: SimpleNamespace(leader=0) for number in partitions
        }

    def replace(self) -> None:
        self.replacements += 1

    async def partitions_for(self, topic: str) -> Collection[int]:
        """As aiokafka's, of metadata that come a moment later."""
        await asyncio.sleep(0)
        self.learns([PARTITION.partition])
        return {PARTITION.partition}

    def take(self) -> Any:  # noqa: ANN401  aiokafka has no types.
        """As aiokafka's sender does as it builds the request, a step of the loop later."""
        self.handed_over.clear()
        taken = self._message_accumulator._pop_batch(PARTITION)
        taken.get_data_buffer()
        return taken


def added(lane: Lane, records: Sequence[NewRecord]) -> "set[asyncio.Future[None]]":
    return {flush.stored for flush in lane.add(records, NOW_MS)}


def way_of(
    producer: Producer,
    ack_timeout_seconds: float = 30.0,
    batch_bytes: int = 900,
    compression: str = "none",
) -> Way:
    sizes = Sizes()
    sizes.told(PARTITION.topic, batch_bytes)
    return Way(
        lambda: producer,
        producer.replace,
        ack_timeout_seconds,
        sizes,
        Outage("it waits"),
        Compression(compression),
    )


def a_lane(
    producer: Producer,
    ack_timeout_seconds: float = 30.0,
    batch_bytes: int = 900,
    compression: str = "none",
) -> Lane:
    return Lane(way_of(producer, ack_timeout_seconds, batch_bytes, compression), PARTITION)


def numbers(taken: Any) -> tuple[int, int, int]:  # noqa: ANN401  aiokafka has no types.
    """The producer's id, its epoch and the first sequence number, as Kafka will read them."""
    batch = MemoryRecords(bytes(taken.get_data_buffer())).next_batch()
    return batch.producer_id, batch.producer_epoch, batch.base_sequence


async def test_what_comes_until_the_sender_takes_a_batch_goes_with_it() -> None:
    producer = Producer()
    lane = a_lane(producer)
    first = added(lane, [RECORD])
    await producer.handed_over.wait()
    assert added(lane, [RECORD]) == first

    taken = producer.take()
    [later] = added(lane, [RECORD])  # It would not be counted any more.
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
    stored = added(lane, [NewRecord(b"key", b"x" * 100)] * 20)
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
    failed = added(lane, [RECORD])
    await producer.handed_over.wait()
    producer.take().failure(ConnectionError("gone"))
    await asyncio.wait(failed)

    [stored] = added(lane, [RECORD])
    await producer.handed_over.wait()
    producer.take().done(0)
    await asyncio.wait([stored])
    assert stored.exception() is None


async def test_after_a_batch_that_failed_for_good_the_next_begins_a_new_epoch_at_0() -> None:
    producer = Producer()
    lane = a_lane(producer)
    seen = []
    for error in (None, None, ConnectionError("gone"), None, None):
        [stored] = added(lane, [RECORD])
        await producer.handed_over.wait()
        taken = producer.take()
        seen.append(numbers(taken))
        if error is None:
            taken.done(0)
        else:
            taken.failure(error)
        await asyncio.wait([stored])

    assert seen == [(1, 0, 0), (1, 0, 1), (1, 0, 2), (1, 1, 0), (1, 1, 1)]


async def test_no_batch_follows_a_late_one_before_its_fate_is_known() -> None:
    producer = Producer()
    lane = a_lane(producer, ack_timeout_seconds=0.05)
    [first] = added(lane, [RECORD])
    await producer.handed_over.wait()
    late = producer.take()
    await asyncio.wait([first])
    assert isinstance(first.exception(), NotStored)

    [second] = added(lane, [RECORD])
    await asyncio.wait([second])
    assert isinstance(second.exception(), NotStored)
    assert not producer.handed_over.is_set(), "it would be numbered as if the first were stored"

    late.failure(ConnectionError("gone"))
    [third] = added(lane, [RECORD])
    await producer.handed_over.wait()
    last = producer.take()
    assert numbers(last) == (1, 1, 0)
    last.done(0)
    await third


async def test_when_the_epochs_are_used_up_another_producer_is_asked_for() -> None:
    producer = Producer()
    lane = a_lane(producer)
    lane._numbering._producer_id, lane._numbering._epoch = 1, EPOCH_MAX
    for error in (ConnectionError("gone"), None):
        [stored] = added(lane, [RECORD])
        await producer.handed_over.wait()
        taken = producer.take()
        if error is None:
            taken.done(0)
        else:
            taken.failure(error)
        await asyncio.wait([stored])

    assert producer.replacements == 1


async def test_of_a_batch_that_was_too_large_only_a_record_alone_is_to_blame() -> None:
    producer = Producer()
    lane = a_lane(producer)
    shared = added(lane, [RECORD, RECORD])
    await producer.handed_over.wait()
    producer.take().failure(MessageSizeTooLargeError())
    await asyncio.wait(shared)
    assert [type(one.exception()) for one in shared] == [NotStored]

    [alone] = added(lane, [RECORD])
    await producer.handed_over.wait()
    producer.take().failure(MessageSizeTooLargeError())
    await asyncio.wait([alone])
    assert isinstance(alone.exception(), TooLargeForKafka)


def records_of(taken: Any) -> tuple[int, list[tuple[bytes, bytes, list[tuple[str, bytes]]]]]:  # noqa: ANN401
    """The codec that Kafka reads, and the records."""
    batch = MemoryRecords(bytes(taken.get_data_buffer())).next_batch()
    codec: int = batch.compression_type
    return codec, [(one.key, one.value, list(one.headers)) for one in batch]


@pytest.mark.parametrize(
    ("configured", "error", "tried"),
    [
        ("lz4", UnsupportedCompressionTypeError, ["lz4", "gzip", "none"]),
        ("gzip", UnsupportedForMessageFormatError, ["gzip", "lz4", "none"]),
        ("snappy", UnsupportedForMessageFormatError, ["snappy", "lz4", "gzip", "none"]),
        ("zstd", UnsupportedCompressionTypeError, ["zstd", "lz4", "gzip", "none"]),
    ],
)
async def test_records_whose_compression_is_refused_are_sent_again_with_the_next_one(
    configured: str, error: type[Exception], tried: list[str]
) -> None:
    producer = Producer()
    lane = a_lane(producer, batch_bytes=20_000, compression=configured)
    records = [NewRecord(b"key", b"x" * 2_000 + b"%d" % n, [("source", b"web")]) for n in range(3)]
    stored = added(lane, records)
    seen = []
    with capture_logs() as said:
        for codec in tried:
            await producer.handed_over.wait()
            taken = producer.take()
            seen.append((*records_of(taken), numbers(taken)))
            if codec == "none":
                taken.done(0)
            else:
                taken.failure(error())
        await asyncio.wait(stored)
        [later] = added(lane, records[:1])
        await producer.handed_over.wait()
        again = producer.take()
        again.done(3)
        await later

    sent = [(one.key, one.value, list(one.headers)) for one in records]
    assert seen == [(CODECS[codec], sent, (1, epoch, 0)) for epoch, codec in enumerate(tried)], (
        "a batch that was refused leaves a gap in the numbers"
    )
    assert records_of(again)[0] == CODECS["none"]
    assert [(one["refused"], one["using"]) for one in said] == list(pairwise(tried))


async def test_two_batches_refused_for_one_codec_are_said_once() -> None:
    producer = Producer()
    lane = a_lane(producer, batch_bytes=3_000, compression="lz4")
    stored = added(lane, [NewRecord(b"key", b"x" * 2_000)] * 2)
    codecs = []
    with capture_logs() as said:
        for _ in range(4):
            await producer.handed_over.wait()
            taken = producer.take()
            codecs.append(records_of(taken)[0])
            if codecs[-1] == CODECS["lz4"]:
                taken.failure(UnsupportedCompressionTypeError())
            else:
                taken.done(0)
        await asyncio.wait(stored)

    assert codecs == [CODECS["lz4"], CODECS["gzip"], CODECS["lz4"], CODECS["gzip"]]
    assert len(said) == 1


async def test_an_error_of_a_batch_that_is_not_compressed_is_none_of_the_compression() -> None:
    producer = Producer()
    lane = a_lane(producer, compression="none")
    [stored] = added(lane, [RECORD])
    await producer.handed_over.wait()
    producer.take().failure(UnsupportedForMessageFormatError())
    await asyncio.wait([stored])

    assert isinstance(stored.exception(), NotStored)


async def test_an_old_kafka_says_of_zstd_only_that_something_went_wrong() -> None:
    producer = Producer()
    lane = a_lane(producer, batch_bytes=20_000, compression="zstd")
    [stored] = added(lane, [NewRecord(b"key", b"x" * 2_000)])
    await producer.handed_over.wait()
    producer.take().failure(UnknownError())
    await producer.handed_over.wait()
    taken = producer.take()
    taken.done(0)
    await stored

    assert records_of(taken)[0] == CODECS["lz4"]


async def test_a_batch_goes_out_once_its_partition_is_learned() -> None:
    producer = Producer()
    producer.learns([])  # As a new producer.
    lane = a_lane(producer)
    [stored] = added(lane, [RECORD])
    assert not producer.handed_over.is_set()

    await producer.handed_over.wait()
    producer.take().done(0)
    await stored


async def test_a_batch_of_a_partition_that_is_gone_fails() -> None:
    producer = Producer()
    producer.learns([])
    lane = Lane(way_of(producer), TopicPartition("topic", 7))
    [failed] = added(lane, [RECORD])
    await asyncio.wait([failed])

    assert isinstance(failed.exception(), NotStored)


async def test_large_batches_of_several_partitions_go_one_after_the_other() -> None:
    producer = Producer()
    producer.learns([0, 1, 2])
    way = way_of(producer, batch_bytes=2_000_000)
    large = NewRecord(b"key", b"x" * 1_500_000)
    lanes = [Lane(way, TopicPartition("topic", number)) for number in range(3)]
    stored = [added(lane, [large]) for lane in lanes]
    batches = producer._message_accumulator._batches

    for number, (waiting,) in enumerate(stored):
        assert [place.partition for place in batches] == [number]
        taken = producer._message_accumulator._pop_batch(TopicPartition("topic", number))
        taken.done(0)
        await waiting
