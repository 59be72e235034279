"""How far a partition was read is told, also where what came has nothing to give out."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from schemas.kafka.fetching import fetch
from schemas.kafka.fetching.batches import MayHave
from schemas.kafka.fetching.fetch import Consumer
from schemas.kafka.fetching.taken import Taken
from schemas.kafka.login import client_arguments
from schemas.records import Standing
from tests.eventually import DEADLINE_SECONDS, seen
from tests.kafka.delivery_world import World
from tests.kafka.kafka_operations import produce_raw
from tests.kafka.writing import Topic
from tests.raw_batches import Raw


async def aborted(world: World, topic: str) -> int:
    """Of a transaction; returns where the partition ends."""
    servers = world.config.kafka.bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=servers, transactional_id=topic) as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"{}", partition=0)
        await producer.abort_transaction()
    return 2


async def passed_over(world: World, topic: str) -> int:
    """Of others; returns where the partition ends."""
    await produce_raw(world, topic, [Raw(b"x", b"others'")] * 3)
    return 3


@pytest.mark.parametrize("write", [aborted, passed_over])
async def test_what_comes_of_another_partition_hides_no_position(
    world: World, write: Callable[[World, str], Awaitable[int]]
) -> None:
    topic = world.config.kafka.topics.parked
    end = await write(world, topic)
    places = [TopicPartition(topic, number) for number in range(2)]
    may_have: dict[str, MayHave] = {topic: lambda records: b"ours" in records}
    arguments = client_arguments(world.config.kafka) | {"isolation_level": "read_committed"}
    async with Consumer(may_have, **arguments, auto_offset_reset="earliest") as consumer:
        consumer.assign(places)
        taking = asyncio.create_task(positions(consumer, places, {places[0]: end, places[1]: 1}))
        await seen(partial(consumer.position, places[0]), lambda at: at == end)
        await produce_raw(world, topic, [Raw(b"x", b"ours")], partition=1)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await taking


async def positions(
    consumer: Consumer, places: Sequence[TopicPartition], wanted: Mapping[TopicPartition, int]
) -> None:
    """Take until these are told."""
    told: dict[TopicPartition, int] = {}
    while told != wanted:
        taken = await take(consumer, places)
        told |= taken.positions


async def take(
    consumer: Consumer, places: Sequence[TopicPartition], records_max: int = 100
) -> Taken:
    return await consumer.take(
        places, timeout_ms=5_000, records_max=records_max, bytes_max=1_000_000
    )


class Later:
    """A clock that is ahead: what was told is not fresh any more."""

    def monotonic(self) -> float:
        return time.monotonic() + 60.0


async def test_a_log_that_is_shorter_than_before_is_behind_no_transaction(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = Topic(world.config.kafka, world.config.kafka.topics.parked)
    place = TopicPartition(topic.name, 0)
    await produce_raw(world, topic.name, [Raw(b"x", b"1"), Raw(b"x", b"2"), Raw(b"x", b"3")])
    arguments = client_arguments(world.config.kafka) | {"isolation_level": "read_committed"}
    async with Consumer(**arguments, auto_offset_reset="earliest") as consumer:
        consumer.assign([place])
        while not (await take(consumer, [place], records_max=1)).records:
            pass  # The other two then keep it from being fetched anew.
        await topic.delete()
        await topic.create(partitions=1)
        await produce_raw(world, topic.name, [Raw(b"x", b"1")])
        monkeypatch.setattr(fetch, "time", Later())
        await seen(partial(standing, consumer, place), lambda one: one.end == 1)
        assert consumer.withheld([place]) == {}


async def standing(consumer: Consumer, place: TopicPartition) -> Standing:
    return (await consumer.standings([place]))[place]


async def test_a_paused_partition_has_no_error_before_it_is_resumed(world: World) -> None:
    """As that nothing was committed: what is sought meanwhile may end it."""
    topic = world.config.kafka.topics.events
    place = TopicPartition(topic, 0)
    await produce_raw(world, topic, [Raw(b"x", b"{}")])
    arguments = client_arguments(world.config.kafka) | {"group_id": topic}
    async with Consumer(**arguments, auto_offset_reset="none") as consumer:
        taken_in = partial(consumer.take, [place], records_max=100, bytes_max=1_000_000)
        consumer.assign([place])
        consumer.pause(place)
        assert not await taken_in(timeout_ms=1_000)
        consumer.resume(place)
        assert list((await taken_in(timeout_ms=60_000)).errors) == [place]
        consumer.seek(place, 0)
        taken = await taken_in(timeout_ms=60_000)

    assert not taken.errors
    assert [len(records) for records in taken.records] == [1]
