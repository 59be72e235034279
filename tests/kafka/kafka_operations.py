"""What Kafka does, and operators do to it: deleted records, raw batches, transactions."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import LeaderNotAvailableError
from aiokafka.protocol.produce import ProduceRequest
from prometheus_client import REGISTRY

from schemas.topics import Kind
from tests.eventually import seen
from tests.kafka.delivery_world import World
from tests.operating import AMPLITUDE, Operation
from tests.raw_batches import Raw, batch


def with_amplitude(world: World, **changes: object) -> World:
    """With this destination only, changed so."""
    [one] = [one for one in world.config.destinations if one.name == AMPLITUDE]
    destinations = (one.model_copy(update=changes),)
    return replace(world, config=world.config.model_copy(update={"destinations": destinations}))


async def produce_raw(
    world: World, topic: str, records: Sequence[Raw], codec: str = "none", partition: int = 0
) -> None:
    """As one batch, byte by byte."""
    client = AIOKafkaClient(bootstrap_servers=world.config.kafka.bootstrap_servers)
    await client.bootstrap()
    data = batch(records, codec, timestamp=now_ms())
    request = ProduceRequest(None, -1, 10_000, [(topic, [(partition, data)])])

    async def send() -> int:
        """A topic that was just created may have no leader yet."""
        await client.force_metadata_update()
        leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        if leader in (None, -1):
            return int(LeaderNotAvailableError.errno)
        answer = await client.send(leader, request)
        [(_, [(_, error, *_)])] = answer.topics
        return int(error)

    try:
        client.add_topic(topic)
        await seen(send, lambda error: error == 0)
    finally:
        await client.close()


async def delete_below(world: World, offsets: Mapping[tuple[str, int], int]) -> None:
    """As retention would."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.config.kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(*at): RecordsToDelete(offset) for at, offset in offsets.items()}
        )
    finally:
        await admin.close()


async def add_partitions(world: World, *topics: str) -> None:
    """Returns once each has a leader: before, a producer does not know of it."""
    count = 4
    admin = AIOKafkaAdminClient(bootstrap_servers=world.config.kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(total_count=count) for topic in topics})
        await seen(
            lambda: admin.describe_topics(list(topics)),
            lambda found: all(
                sum(one["leader"] >= 0 for one in topic["partitions"]) == count for topic in found
            ),
        )
    finally:
        await admin.close()


async def committed(world: World, destination: str = AMPLITUDE) -> dict[int, int]:
    """What the group of the events has committed, by partition."""
    topics = world.config.kafka.topics
    found = await _committed(world, topics.group_id(destination, Kind.EVENT))
    return {at.partition: offset for at, offset in found.items() if at.topic == topics.events}


async def uncommitted(world: World, *destinations: str) -> dict[tuple[str, TopicPartition], int]:
    """By destination: how many records of the events, and of the parked, are not committed."""
    topics = world.config.kafka.topics
    found: dict[tuple[str, TopicPartition], int] = {}
    consumer = AIOKafkaConsumer(bootstrap_servers=world.config.kafka.bootstrap_servers)
    async with consumer:
        for destination in destinations:
            offsets = await _committed(world, topics.group_id(destination, Kind.EVENT))
            ends = await consumer.end_offsets(list(offsets))
            found |= {(destination, at): ends[at] - offset for at, offset in offsets.items()}
    return {at: records for at, records in found.items() if records > 0}


async def _committed(world: World, group_id: str) -> dict[TopicPartition, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.config.kafka.bootstrap_servers)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(group_id)
    finally:
        await admin.close()
    return {at: one.offset for at, one in found.items()}


async def commit(world: World, offset: int) -> None:
    """For the first partition of the events."""
    topics = world.config.kafka.topics
    operation = Operation(world.config)
    place = f"{topics.events}/0/{offset}"
    await operation.commit(topics.group_id(AMPLITUDE, Kind.EVENT), place)


async def produce_in_order(
    world: World, topic: str, values: Sequence[bytes], key: bytes, partition: int = 0
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=world.config.kafka.bootstrap_servers)
    async with producer:
        sent = [await producer.send(topic, value, key, partition=partition) for value in values]
        await asyncio.gather(*sent)


def now_ms() -> int:
    return int(time.time() * 1000)


def lost(topic: str, destination: str = AMPLITUDE) -> float:
    return metric("lost_records_total", destination=destination, topic=topic)


def metric(name: str, **labels: Any) -> float:  # noqa: ANN401
    return REGISTRY.get_sample_value(f"ampgate_delivery_{name}", labels) or 0.0
