"""A topic whose settings a test can change, and what writes to it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.configuration.config import Kafka
from schemas.kafka.log import Log
from schemas.records import Record
from tests.eventually import seen


@dataclass(frozen=True, slots=True)
class Topic:
    kafka: Kafka
    name: str

    async def create(self, partitions: int = 1, **settings: str) -> None:
        async with admin(self.kafka) as client:
            made = NewTopic(self.name, partitions, 1, topic_configs=_dotted(settings))
            await client.create_topics([made])

    async def delete(self) -> None:
        async with admin(self.kafka) as client:
            await client.delete_topics([self.name])
            await seen(client.list_topics, lambda names: self.name not in names)

    async def set(self, **settings: str) -> None:
        """These settings and no others; returns once the broker follows them."""
        settings = _dotted(settings)
        asked = ConfigResource(ConfigResourceType.TOPIC, self.name, configs=settings)
        async with admin(self.kafka) as client:
            [answer] = await client.alter_configs([asked])
            assert answer.resources[0][0] == 0, answer
            await seen(
                lambda: client.describe_configs([asked]),
                lambda found: (
                    found[0].resources[0][0] == 0
                    and settings.items() <= {e[0]: e[1] for e in found[0].resources[0][4]}.items()
                ),
            )

    async def values(self) -> list[bytes | None]:
        """All that is stored, by partition."""
        return [record.value for record in await records(self)]

    async def produce(self, values: Sequence[bytes]) -> list[Record]:
        """Store these for one user; the records as they then stand there."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.kafka.bootstrap_servers, max_request_size=21_000_000
        ) as producer:
            for value in values:
                await producer.send_and_wait(self.name, value, b"user")
        return await records(self)


async def records(topic: Topic) -> list[Any]:
    """All that is stored, by partition."""
    async with AIOKafkaConsumer(
        bootstrap_servers=topic.kafka.bootstrap_servers, auto_offset_reset="earliest"
    ) as consumer:
        numbers = await consumer._client._wait_on_metadata(topic.name)
        places = [TopicPartition(topic.name, number) for number in sorted(numbers)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: dict[TopicPartition, list[Any]] = {place: [] for place in places}
        # Of all at once: what nobody takes of one partition may keep others from being fetched.
        while [place for place in places if await consumer.position(place) < ends[place]]:
            for place, fetched in (await consumer.getmany(timeout_ms=1000)).items():
                found[place] += fetched
    return [record for place in places for record in found[place]]


@asynccontextmanager
async def admin(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def log_of(*topics: Topic, ack_timeout_seconds: float | None = 60.0) -> AsyncIterator[Log]:
    log = Log(
        topics[0].kafka,
        [topic.name for topic in topics],
        ack_timeout_seconds=ack_timeout_seconds,
        on_outage="it is a test",
    )
    await log.start()
    try:
        yield log
    finally:
        await log.stop()


def _dotted(settings: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "."): value for name, value in settings.items()}
