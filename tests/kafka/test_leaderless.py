"""One partition of many has no leader: the probe says so, others go on, and it afterwards."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError

from ampgate.lab.kafka.kafka import EmbeddedKafka
from consumers.kafka.letters import Letters
from gateway.edge.log import EdgeLog
from schemas.configuration.config import Config, Kafka
from schemas.kafka.batches import NotStored
from schemas.records import NewRecord
from tests.eventually import eventually, seen
from tests.kafka.delivery_world import World, event
from tests.kafka.letter_writing import DESTINATION, a_letter
from tests.kafka.writing import Topic, admin
from tests.operating import simulating

BROKERS = 3


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """Each partition is on one broker only; two others keep the cluster alive."""
    directory = tmp_path_factory.mktemp("cluster")
    with EmbeddedKafka(directory, brokers=BROKERS, heap_megabytes=256) as kafka:
        yield kafka


async def create(kafka: Kafka) -> None:
    made = [NewTopic(name, BROKERS, 1) for name in (*kafka.topics.lasting, kafka.topics.probe)]
    for topic in made:
        topic.topic_configs["min.insync.replicas"] = "1"
    async with admin(kafka) as client:
        await client.create_topics(made)


async def test_writes_go_on_after_a_partition_was_without_leader_for_long(
    cluster: EmbeddedKafka, topic_prefix: str
) -> None:
    kafka = Kafka(bootstrap_servers=cluster.bootstrap_servers, topic_prefix=topic_prefix)
    await create(kafka)
    events = Topic(kafka, kafka.topics.events)
    log, letters = EdgeLog(kafka, 20.0), Letters(kafka)
    await asyncio.gather(log.start(), letters.start())
    try:
        await seen(log.probe, bool)
        await every_partition(log, events, b"before")
        for its in (log._log, letters._log):  # Else a batch without leader waits for 40 s.
            its._connection.producer()._message_accumulator._batch_ttl = 5.0

        await asyncio.to_thread(cluster.kill, 2)
        await seen(log.probe, lambda is_ready: not is_ready)  # Nobody wrote meanwhile.
        burying = [
            asyncio.create_task(letters.dead_letter(a_letter(at, b"{", None), DESTINATION))
            for at in range(9)
        ]
        outcomes = [await outcome_of(log, events, b"lost %d" % at) for at in range(BROKERS)]
        assert outcomes.count(NotStored) == 1, "the others have leaders"
        await eventually(lambda: sum(one.done() for one in burying) >= 6)
        await eventually(lambda: letters.is_failing)

        await asyncio.to_thread(cluster.restart, 2)
        await asyncio.gather(*burying)
        await every_partition(log, events, b"after")
        await seen(log.probe, bool)
        await eventually(lambda: not letters.is_failing)
    finally:
        await asyncio.gather(log.stop(), letters.stop())

    dead = await Topic(kafka, kafka.topics.dead_letters).values()
    assert len(dead) == 9
    values = await events.values()
    assert values.count(b"after") >= BROKERS


async def test_a_delivery_that_starts_while_a_partition_has_no_leader_delivers_the_others(
    cluster: EmbeddedKafka, topic_prefix: str
) -> None:
    users = 30
    async with simulating("amplitude") as url:
        reached = {"bootstrap_servers": cluster.bootstrap_servers, "topic_prefix": topic_prefix}
        amplitude = {"name": "a", "type": "amplitude", "api_key": "k", "base_url": url}
        config = Config.model_validate({"kafka": reached, "destinations": [amplitude]})
        await create(config.kafka)
        world, topic = World(config, {"amplitude": url}), config.kafka.topics.events
        await world.produce(topic, [event(user, 1) for user in range(users)])
        async with world.delivering():
            await world.until_accepted("amplitude", users)
        await world.produce(topic, [event(user, 2) for user in range(users)])

        await asyncio.to_thread(cluster.kill, 2)
        await until_leaderless(config.kafka, topic)
        async with world.delivering() as workers:
            await world.until_accepted("amplitude", users + 1)
            assert not any(worker.is_stuck for worker in workers)
            await asyncio.to_thread(cluster.restart, 2)
            await world.until_accepted("amplitude", 2 * users)


async def until_leaderless(kafka: Kafka, topic: str) -> None:
    async with admin(kafka) as client:

        async def leaders() -> set[int]:
            with suppress(KafkaError):  # It may ask the broker that has gone.
                [found] = await client.describe_topics([topic])
                return {one["leader"] for one in found["partitions"]}
            return set()

        await seen(leaders, lambda found: -1 in found)


async def outcome_of(log: EdgeLog, topic: Topic, value: bytes) -> type[Exception] | None:
    """Of a record in the next partition."""
    try:
        await log.append(topic.name, [NewRecord(None, value)])
    except NotStored:
        return NotStored
    return None


async def every_partition(log: EdgeLog, topic: Topic, value: bytes) -> None:
    async def outcomes() -> list[type[Exception] | None]:
        return [await outcome_of(log, topic, value) for _ in range(BROKERS)]

    await seen(outcomes, lambda found: set(found) == {None})
