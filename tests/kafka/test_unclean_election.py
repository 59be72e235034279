"""A log loses its end in an unclean election, and others get the offsets of what was there."""

import asyncio
import json
from pathlib import Path

from aiokafka.admin import NewTopic
from aiokafka.client import AIOKafkaClient

from ampgate.lab.kafka.kafka import EmbeddedKafka
from schemas.configuration.config import Kafka
from tests.conftest import Broker
from tests.eventually import eventually, seen
from tests.kafka.delivery_world import World, opened_world
from tests.kafka.kafka_operations import lost, produce_in_order, with_amplitude
from tests.kafka.test_odd_logs import lag, numbers, purchase
from tests.kafka.writing import admin

COPIES = [1, 2]  # The third broker only votes.


async def create_on_two(kafka: Kafka) -> None:
    made = NewTopic(kafka.topics.events, -1, -1, replica_assignments={0: COPIES})
    made.topic_configs |= {
        "min.insync.replicas": "1",
        "unclean.leader.election.enable": "true",
    }
    async with admin(kafka) as client:
        await client.create_topics([made])


async def until_led_by(world: World, node: int, in_sync: list[int]) -> None:
    topic = world.config.kafka.topics.events
    client = AIOKafkaClient(bootstrap_servers=world.config.kafka.bootstrap_servers)
    await client.bootstrap()
    client.set_topics([topic])

    async def found() -> tuple[int, list[int]]:
        await client.force_metadata_update()
        partition = client.cluster._partitions[topic][0]
        return partition.leader, sorted(partition.isr)

    try:
        await seen(found, lambda one: one == (node, in_sync))
    finally:
        await client.close()


async def test_what_took_the_place_of_lost_records_is_delivered_and_nothing_twice(
    tmp_path: Path,
) -> None:
    with EmbeddedKafka(tmp_path / "kafka", brokers=3, heap_megabytes=256) as kafka:
        servers = Broker(kafka.bootstrap_servers)
        prefix = "unclean."
        await create_on_two(Kafka(bootstrap_servers=servers.bootstrap_servers, topic_prefix=prefix))
        async with opened_world(servers, prefix) as opened:
            world = with_amplitude(opened)
            topic = world.config.kafka.topics.events
            await until_led_by(world, 1, COPIES)
            async with world.delivering():
                await produce(world, range(20))
                await world.until_accepted("amplitude", 20)
                await asyncio.to_thread(kafka.kill, 2)
                await until_led_by(world, 1, [1])
                await produce(world, range(20, 30))
                await world.until_accepted("amplitude", 30)
                await asyncio.to_thread(kafka.kill, 1)
                await asyncio.to_thread(kafka.restart, 2)
                await until_led_by(world, 2, [2])
                await produce(world, range(30, 60))
                await world.until_accepted("amplitude", 60)
                await eventually(lambda: lag(topic) == 0)
            assert sorted(await numbers(world)) == list(range(60))
            assert lost(topic) == 0


async def produce(world: World, some: range) -> None:
    """With ids of their own: those that we fill in are the same for the same offset."""
    topic = world.config.kafka.topics.events
    values = [json.dumps(json.loads(purchase(n)) | {"insert_id": f"i{n}"}) for n in some]
    await produce_in_order(world, topic, [value.encode() for value in values], b"ann")
