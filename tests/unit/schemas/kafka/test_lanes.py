"""Batches that requests share, against aiokafka's own accumulator: all but the network."""

import asyncio

from aiokafka.errors import MessageSizeTooLargeError

from schemas.kafka.batches import Lane, NotStored, TooLargeForKafka
from schemas.kafka.numbering import EPOCH_MAX
from schemas.records import NewRecord, TopicPartition
from tests.unit.schemas.kafka.lanes import RECORD, Producer, a_lane, added, numbers, way_of


async def test_what_comes_until_the_sender_takes_a_batch_goes_with_it() -> None:
    producer = Producer()
    lane = a_lane(producer)
    first = added(lane, [RECORD])
    await producer.handed_over.wait()
    assert added(lane, [RECORD]) == first

    taken = producer.take()
    [later] = added(lane, [RECORD])  # It would not be counted any more.
    assert {later} != first
    assert taken.filled.records == 2

    taken.done(0)
    await asyncio.wait(first)
    assert not later.done()
    await producer.handed_over.wait()
    rest = producer.take()
    assert rest.filled.records == 1
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
        counts.append(taken.filled.records)
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
    lane._way = way_of(producer)  # With more time again.
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
