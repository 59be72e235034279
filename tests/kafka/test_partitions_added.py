"""Partitions are added while everything runs: no event is lost, repeated or out of order."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewPartitions

from ampgate.topics import admin_client
from consumers.kafka import membership
from schemas.kafka.partitioner import positive_hash
from schemas.letters import LetterHeaders, Origin
from schemas.records import TopicPartition
from tests.conftest import Broker
from tests.eventually import seen
from tests.kafka.delivery_world import World, opened_world
from tests.kafka.kafka_operations import committed
from tests.operating import AMPLITUDE

FORMER = 3


class Order(Enum):
    EVENTS_FIRST = auto()
    PARKED_FIRST = auto()
    AT_ONCE = auto()


# To a multiple of them; and not: then keys move between the former partitions, too.
GROWTHS = [
    (Order.EVENTS_FIRST, 6),
    (Order.PARKED_FIRST, 6),
    (Order.AT_ONCE, 5),
    (Order.EVENTS_FIRST, 5),
]
HOUR = 3600.0
USERS = [f"user-{n}" for n in range(30)]


def waiting(now: int) -> Sequence[str]:
    """Users over their quota for an hour whose keys move, to added or to former partitions."""
    places = {user: positive_hash(user.encode()) for user in USERS}
    moved = {user: at % now for user, at in places.items() if at % now != at % FORMER}
    added = [user for user, at in moved.items() if at >= FORMER]
    return [*added[:2], *(user for user in moved if user not in added)][:4]


async def add_partitions(world: World, now: int, *topics: str) -> None:
    async with admin_client(world.config.kafka) as client:
        await client.create_partitions({topic: NewPartitions(now) for topic in topics})
        await seen(
            lambda: client.describe_topics(list(topics)),
            lambda found: all(len(topic["partitions"]) == now for topic in found),
        )


async def produce(world: World, number: int) -> None:
    """An event of each user, where a producer with fresh metadata puts it."""
    topic, servers = world.config.kafka.topics.events, world.config.kafka.bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        sent = [await producer.send(topic, event(one, number), one.encode()) for one in USERS]
        await asyncio.gather(*sent)


async def park(world: World, users: Sequence[str], number: int) -> None:
    """As the delivery did while there were fewer partitions; the last offsets are markers."""
    topics, servers = world.config.kafka.topics, world.config.kafka.bootstrap_servers
    now = time.time()
    async with (
        AIOKafkaProducer(bootstrap_servers=servers, transactional_id=topics.parked) as producer,
        producer.transaction(),
    ):
        for user in users:
            partition = positive_hash(user.encode()) % FORMER
            headers = LetterHeaders(
                destination=AMPLITUDE,
                reason="daily_quota",
                detail="",
                origin=Origin(TopicPartition(topics.events, partition), 10**12),
                attempts=1,
                first_failed_at=now,
                accepted_at=now,
                not_before=now + HOUR,
            ).encoded(())
            await producer.send(
                topics.parked, event(user, number), user.encode(), partition, headers=headers
            )


def event(user: str, number: int) -> bytes:
    return json.dumps(
        {
            "event_type": "Bought",
            "user_id": user,
            "insert_id": f"{user}-{number}",
            "event_properties": {"n": number},
        }
    ).encode()


async def test_partitions_are_added_in_any_order_and_who_is_parked_is_not_overtaken(
    kafka: Broker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All orders side by side, as each waits for Kafka's groups most of the time."""
    monkeypatch.setattr(membership, "METADATA_SECONDS", 1.0)
    async with asyncio.TaskGroup() as tasks:
        grown = {
            (order, now): tasks.create_task(
                grow(kafka, f"{topic_prefix}{order.name}-{now}.", order, now)
            )
            for order, now in GROWTHS
        }
    for (order, now), arrived in grown.items():
        parked = waiting(now)
        expected = {user: [0, 1, 2, 3] if user in parked else [0, 2, 3] for user in USERS}
        assert arrived.result() == expected, (order, now)


async def grow(kafka: Broker, topic_prefix: str, order: Order, now: int) -> dict[str, list[int]]:
    """Of each user the numbers of the events that arrived, in order."""
    async with opened_world(kafka, topic_prefix) as opened:
        wanted = [one for one in opened.config.destinations if one.name == AMPLITUDE]
        config = opened.config.model_copy(update={"destinations": wanted})
        world = replace(opened, config=config)
        await add_while_delivering(world, order, now)
        assert (await world.stats("amplitude"))["duplicates"] == 0, (order, now)
        return await arrivals(world)


async def add_while_delivering(world: World, order: Order, now: int) -> None:
    topics, ahead = world.config.kafka.topics, 0.0
    others = len(USERS) - len(waiting(now))
    await produce(world, 0)
    async with world.delivering(lambda: time.time() + ahead):
        await world.until_accepted("amplitude", len(USERS))
        await park(world, waiting(now), 1)
        match order:
            case Order.EVENTS_FIRST:
                await add_partitions(world, now, topics.events)
            case Order.PARKED_FIRST:
                await add_partitions(world, now, topics.parked)
                await add_partitions(world, now, topics.events)
            case Order.AT_ONCE:
                await add_partitions(world, now, topics.events, topics.parked)
        # Producers may know of the partitions first: records of settled keys stay in order.
        await seen(partial(committed, world), lambda found: len(found) == now)
        await produce(world, 2)
        # Users without a quota do not wait.
        await world.until_accepted("amplitude", len(USERS) + others)
    if order == Order.EVENTS_FIRST:
        await add_partitions(world, now, topics.parked)
    await produce(world, 3)
    async with world.delivering(lambda: time.time() + ahead):
        await world.until_accepted("amplitude", len(USERS) + 2 * others)
        assert (await world.stats("amplitude"))["accepted"] == len(USERS) + 2 * others
        ahead = HOUR
        await world.until_accepted("amplitude", 3 * len(USERS) + len(waiting(now)))


async def arrivals(world: World) -> dict[str, list[int]]:
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for one in await world.received("amplitude"):
        numbers[one["user_id"]].append(one["event_properties"]["n"])
    return dict(numbers)
