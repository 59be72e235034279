"""Writes that fail for good, on a real broker: the next write of that partition succeeds."""

import asyncio
import os

import pytest
from structlog.testing import capture_logs

from schemas.configuration.config import Kafka
from schemas.kafka.batches import NotStored, TooLargeForKafka
from schemas.kafka.log import Log
from schemas.records import NewRecord
from tests.conftest import Broker
from tests.eventually import eventually, seen
from tests.kafka.writing import Topic, log_of

SMALL = 20_000


@pytest.fixture
def topic(kafka: Broker, topic_prefix: str) -> Topic:
    configured = Kafka(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix)
    return Topic(configured, configured.topics.events)


def record(value: bytes) -> NewRecord:
    return NewRecord(b"user", value)


async def refusals(log: Log, topic: Topic, *values: bytes) -> list[type[BaseException] | None]:
    """One request each, all at once: what came of them."""
    appended = [log.append(topic.name, [record(value)]) for value in values]
    outcomes = await asyncio.gather(*appended, return_exceptions=True)
    return [None if outcome is None else type(outcome) for outcome in outcomes]


async def refuses(log: Log, topic: Topic) -> bool:
    """Whether a record without a key is not stored."""
    try:
        await log.append(topic.name, [NewRecord(None, b"lost")])
    except NotStored:
        return True
    return False


async def test_a_record_larger_than_its_topic_takes_harms_nobody_beside_it(topic: Topic) -> None:
    await topic.create(max_message_bytes=str(SMALL))
    large = os.urandom(SMALL)
    async with log_of(topic) as log:
        assert await refusals(log, topic, b"1", large, b"2") == [None, TooLargeForKafka, None]
        assert await refusals(log, topic, b"3") == [None]
    assert await topic.values() == [b"1", b"2", b"3"]


async def test_a_request_with_a_record_too_large_stores_nothing(topic: Topic) -> None:
    await topic.create(max_message_bytes=str(SMALL))
    async with log_of(topic) as log:
        with pytest.raises(TooLargeForKafka):
            await log.append(topic.name, [record(b"1"), record(os.urandom(SMALL))])
    assert await topic.values() == []


async def test_what_fits_once_compressed_is_stored(topic: Topic) -> None:
    await topic.create(max_message_bytes=str(SMALL))
    async with log_of(topic) as log:
        assert await refusals(log, topic, b"x" * 500_000) == [None]


async def test_batches_are_no_larger_than_the_topic_takes(topic: Topic) -> None:
    await topic.create(max_message_bytes=str(SMALL))
    values = [os.urandom(90) for _ in range(2_000)]
    async with log_of(topic) as log:
        assert set(await refusals(log, topic, *values)) == {None}
    assert await topic.values() == values


async def test_a_limit_that_was_lowered_is_learned_from_refusals(topic: Topic) -> None:
    await topic.create()
    values = [os.urandom(3_000) for _ in range(40)]
    async with log_of(topic) as log:
        await topic.set(max_message_bytes=str(SMALL))
        # A broker follows its settings a moment later.
        await seen(
            lambda: refusals(log, topic, os.urandom(50_000)),
            lambda found: found == [TooLargeForKafka],
        )
        assert await refusals(log, topic, b"small") == [None]
        for _ in range(4):  # A batch of several is refused as a whole, and the next is smaller.
            if set(found := await refusals(log, topic, *values)) == {None}:
                break
            assert TooLargeForKafka not in found, "its records are small enough"
        assert set(await refusals(log, topic, *values)) == {None}


async def test_after_a_batch_that_the_broker_refuses_the_next_one_is_stored(topic: Topic) -> None:
    await topic.create(partitions=1)
    async with log_of(topic) as log:
        assert await refusals(log, topic, b"1") == [None]
        await topic.set(cleanup_policy="compact")
        await seen(lambda: refuses(log, topic), bool)  # It takes no record without a key.
        before = len(await topic.values())
        for _ in range(3):
            assert await refuses(log, topic)
        was_on = log.outage.is_on
        assert await refusals(log, topic, b"2") == [None]
        assert (was_on, log.outage.is_on) == (True, False)
        assert await refusals(log, topic, b"3", b"4") == [None, None]
    assert (await topic.values())[before:] == [b"2", b"3", b"4"]


async def test_after_its_topic_was_deleted_and_made_again_writes_go_on(topic: Topic) -> None:
    await topic.create()
    async with log_of(topic, ack_timeout_seconds=3) as log:
        assert await refusals(log, topic, b"1", b"2") == [None, None]
        await topic.delete()
        assert await refusals(log, topic, b"3") == [NotStored]
        await topic.create()

        await seen(lambda: refusals(log, topic, b"4"), lambda found: found == [None])
        assert await refusals(log, topic, b"5") == [None]
    assert (await topic.values())[-2:] == [b"4", b"5"]


async def test_another_producer_takes_over_without_harm_to_what_is_in_flight(topic: Topic) -> None:
    await topic.create(partitions=4)
    stored: list[int] = []
    async with log_of(topic) as log:

        async def write(number: int) -> None:
            for repeat in range(50):
                key = b"user-%d" % number
                try:
                    await log.append(topic.name, [NewRecord(key, b"%d %d" % (number, repeat))])
                    stored.append(repeat)
                except NotStored:
                    return

        writing = [asyncio.create_task(write(number)) for number in range(8)]
        await eventually(lambda: len(stored) > 40)
        log._connection.replace()
        await asyncio.wait(writing)
        await log._connection.is_made.wait()
        await eventually(lambda: log._connection._producer is not None)
        assert await refusals(log, topic, b"after") == [None]
    values = await topic.values()
    assert len(values) == len(set(values)), "something is stored twice"
    assert len(values) >= len(stored) + 1


async def test_an_outage_is_one_line_and_its_end_another(
    topic: Topic,
) -> None:
    await topic.create()
    await topic.set(cleanup_policy="compact")
    with capture_logs() as said:
        async with log_of(topic) as log:
            await seen(lambda: refuses(log, topic), bool)
            for _ in range(20):
                assert await refuses(log, topic)
            assert await refusals(log, topic, b"1", b"2", b"3") == [None, None, None]
    lines = [(line["log_level"], line["event"]) for line in said if line["log_level"] != "debug"]
    assert lines == [("warning", "Kafka takes no writes"), ("info", "Kafka takes writes again")]
    assert said[0]["topic"] == topic.name
