"""A clock that is so far ahead that Kafka refuses its times stops no write."""

import asyncio

from aiokafka.errors import InvalidTimestampError
from aiokafka.record.memory_records import MemoryRecords
from structlog.testing import capture_logs

from schemas.kafka.batches import NotStored
from schemas.kafka.timestamps import UNTIMED_SECONDS, Timestamps
from schemas.kafka.waiting_batches import WaitingBatch
from schemas.records import NewRecord
from tests.unit.schemas.kafka.lanes import NOW_MS, RECORD, Producer, a_lane, added

UNTIMED = -1


def times_of(taken: WaitingBatch) -> list[int]:
    batch = MemoryRecords(bytes(taken.get_data_buffer())).next_batch()
    return [one.timestamp for one in batch]


async def test_records_whose_time_is_refused_are_sent_again_without_one() -> None:
    producer = Producer()
    lane = a_lane(producer)
    records = [NewRecord(b"key", b"%d" % number, [("source", b"web")]) for number in range(3)]
    [stored] = added(lane, records)
    await producer.handed_over.wait()
    refused = producer.take()
    assert times_of(refused) == [NOW_MS] * 3
    with capture_logs() as said:
        refused.failure(InvalidTimestampError())
        await producer.handed_over.wait()
    again = producer.take()
    sent = MemoryRecords(bytes(again.get_data_buffer())).next_batch()
    assert [(one.key, one.value, list(one.headers)) for one in sent] == [
        (one.key, one.value, list(one.headers)) for one in records
    ]
    assert times_of(again) == [UNTIMED] * 3
    again.done(0)
    await stored
    assert len(said) == 1


async def test_who_is_refused_without_a_time_too_is_told() -> None:
    producer = Producer()
    lane = a_lane(producer)
    [stored] = added(lane, [RECORD])
    for _ in range(2):
        await producer.handed_over.wait()
        producer.take().failure(InvalidTimestampError())
    await asyncio.wait([stored])
    assert isinstance(stored.exception(), NotStored)


def test_for_a_minute_after_a_refusal_records_have_no_time_and_that_is_said_once() -> None:
    now = 0.0
    timestamps = Timestamps(wall_ns=lambda: 5_000_000, monotonic=lambda: now)
    assert timestamps.now_ms() == 5
    with capture_logs() as said:
        for _ in range(2):  # Of two partitions.
            assert timestamps.are_refused(InvalidTimestampError(), is_timed=True)
    assert timestamps.now_ms() == UNTIMED
    now = UNTIMED_SECONDS - 1
    assert timestamps.now_ms() == UNTIMED
    now = UNTIMED_SECONDS
    assert timestamps.now_ms() == 5
    with capture_logs() as said_again:
        timestamps.are_refused(InvalidTimestampError(), is_timed=True)
    assert [one["log_level"] for one in [*said, *said_again]] == ["error", "error"]


def test_no_other_error_is_one_of_the_time() -> None:
    timestamps = Timestamps()
    assert not timestamps.are_refused(TimeoutError(), is_timed=True)
    assert timestamps.now_ms() > 0
