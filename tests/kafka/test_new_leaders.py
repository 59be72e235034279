"""Who reads a log to its end reads over the elections of its leaders."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from aiokafka import AIOKafkaProducer, TopicPartition
from structlog.testing import capture_logs

from ampgate.lab.kafka.kafka import EmbeddedKafka
from ampgate.topics import create
from consumers.kafka.moved import unread
from gateway.dialects.amplemarket import EVENT_TYPES
from gateway.pulls.webhooks import EventsTopic
from schemas.configuration.config import Kafka
from schemas.kafka.client import started
from schemas.kafka.fetching.fetch import Consumer
from schemas.kafka.following import Follower
from schemas.kafka.login import client_arguments
from tests.eventually import DEADLINE_SECONDS

STAGE = next(iter(EVENT_TYPES.values()))
EVENT = '{"user_id":"u","event_type":"%s","event_properties":{"contact":{"id":"%s"}}}'


async def test_an_election_ends_no_reading(tmp_path: Path) -> None:
    """It had the pull of contacts fail each time, as it began anew from the same position."""
    with EmbeddedKafka(tmp_path) as broker:
        kafka = Kafka(bootstrap_servers=broker.bootstrap_servers)
        await create(kafka, partitions=1)
        await store(kafka, ["one"])
        broker.kill(1)
        broker.restart(1)
        await store(kafka, ["two"])

        assert await suppressed(kafka) == 2
        assert (await EventsTopic(kafka).named({})).ids == ["one", "two"]
        assert await offsets(kafka) == [0, 1]


async def store(kafka: Kafka, names: Sequence[str]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
        for name in names:
            event = (EVENT % (STAGE, name)).encode()
            await producer.send_and_wait(kafka.topics.events, event, partition=0)
            await producer.send_and_wait(
                kafka.topics.suppressions, b"{}", key=name.encode(), partition=0
            )


async def suppressed(kafka: Kafka) -> int:
    """How many a follower knows that had no trouble on its way."""
    follower = Follower(kafka, lambda _count: None)
    with capture_logs() as said:
        following = asyncio.create_task(follower.run())
        async with asyncio.timeout(DEADLINE_SECONDS):
            await follower.known()
        following.cancel()
        await asyncio.wait([following])
    assert [one["event"] for one in said] == ["suppressions read"]
    return len(follower.suppressions)


async def offsets(kafka: Kafka) -> list[int]:
    consumer = Consumer(
        **client_arguments(kafka), auto_offset_reset="none", enable_auto_commit=False
    )
    await started(consumer)
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            place = TopicPartition(kafka.topics.events, 0)
            return [record.offset async for record in unread(consumer, place, 0)]
    finally:
        await consumer.stop()
