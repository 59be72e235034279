"""Partitions are assigned: whatever fails meanwhile, they are read, or the log says why not."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from random import Random

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from structlog.testing import capture_logs

from consumers.delivery.delivery import Delivery
from consumers.destinations.aampe.events import AampeEvents
from consumers.kafka.assignor import SisterAssignor
from consumers.kafka.notes import Committed
from consumers.kafka.reader import Reader
from consumers.metrics import Counts
from consumers.progress import Progress
from schemas.kafka.fetching import fetch
from schemas.records import Standing, TopicPartition
from schemas.topics import Kind
from schemas.vendors.aampe import AampeDestination
from tests.eventually import DEADLINE_SECONDS, eventually, seen
from tests.kafka.delivery_world import World, event
from tests.kafka.kafka_operations import with_amplitude
from tests.operating import AAMPE, AMPLITUDE

Notes = Mapping[TopicPartition, Committed]


class OurError(Exception):
    """Of ours, or of aiokafka, which only logs what a listener raises."""


async def revoked(_: object) -> None:
    pass


@asynccontextmanager
async def reading(world: World, assigned: Callable[[Notes], None]) -> AsyncIterator[Reader]:
    topics = world.config.kafka.topics
    group_id = topics.group_id(AAMPE, Kind.EVENT)
    reader = Reader(world.config.kafka, topics.events, topics.parked, group_id, assigned, revoked)
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()


async def read(reader: Reader, count: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while count > 0:
            found = await reader.read(full=(), records_max=100)
            count -= sum(map(len, found.records))


async def test_whatever_fails_when_partitions_are_assigned_is_tried_again(world: World) -> None:
    await world.produce(world.config.kafka.topics.events, [event(n, n) for n in range(30)])
    calls: list[Notes] = []

    def assigned(notes: Notes) -> None:
        calls.append(notes)
        if len(calls) == 1:
            raise OurError

    async with reading(world, assigned) as reader:
        await read(reader, 30)
    assert len(calls) == 2


async def test_of_a_partition_that_is_full_kafka_is_asked_again_and_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is fetched of it meanwhile; a wall clock that stands still changes nothing."""
    monkeypatch.setattr(fetch, "FRESH_SECONDS", 0.05)
    monkeypatch.setattr(time, "time", lambda: 1_000_000_000.0)
    await world.produce(world.config.kafka.topics.events, [event(1, 1)])
    async with reading(world, lambda _: None) as reader:

        async def standings() -> Mapping[TopicPartition, Standing]:
            await reader.read(full=None, records_max=1)
            return await reader.standings()

        found = await seen(standings, lambda found: any(one.end for one in found.values()))
        [full] = [place for place, one in found.items() if one.end]
        answers: set[object] = set()

        async def answered() -> set[object]:
            await standings()
            answers.add(reader.answers()[full])
            return answers

        assert len(await seen(answered, lambda found: len(found) >= 4)) == 4


async def test_who_never_gets_to_read_is_stuck(world: World) -> None:
    """For one, when the parked topic is deleted: a restart does without."""

    def assigned(_: Notes) -> None:
        raise OurError

    async with reading(world, assigned) as reader, asyncio.TaskGroup() as tasks:
        destination = next(one for one in world.config.destinations if one.name == AAMPE)
        assert isinstance(destination, AampeDestination)
        delivery = Delivery(
            AampeEvents(destination),
            topic=world.config.kafka.topics.events,
            parked_topic=None,
            memory_max_bytes=1,
            random=Random(1),
        )
        counts = Counts(AAMPE, Kind.EVENT)
        progress = Progress(delivery, reader, counts, time.time)
        telling = tasks.create_task(progress.tell_often())
        await eventually(lambda: progress.is_stuck(after_seconds=3.0))
        telling.cancel()


class Hesitant(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types.
    """A member that gives up its partitions only when the test lets it."""

    def __init__(self) -> None:
        self.is_asked = asyncio.Event()
        self.may_leave = asyncio.Event()

    async def on_partitions_revoked(self, revoked: Collection[KafkaPartition]) -> None:
        if revoked:
            self.is_asked.set()
            await self.may_leave.wait()

    async def on_partitions_assigned(self, assigned: Collection[KafkaPartition]) -> None:
        pass


async def test_who_still_joins_a_group_ends_as_soon_as_it_is_told(world: World) -> None:
    """A join takes as long as the slowest member; nothing is to be drained before it ends."""
    kafka, hesitant = world.config.kafka, Hesitant()
    topics = kafka.topics
    member = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=topics.group_id(AMPLITUDE, Kind.EVENT),
        enable_auto_commit=False,
        partition_assignment_strategy=(SisterAssignor,),
        session_timeout_ms=1_800_000,  # Longer than any test waits.
        rebalance_timeout_ms=1_800_000,
    )
    member.subscribe([topics.events, topics.parked], listener=hesitant)
    async with member:
        async with with_amplitude(world).delivering():
            await hesitant.is_asked.wait()
        assert not hesitant.may_leave.is_set(), "the join has not ended"
        hesitant.may_leave.set()


async def test_who_is_not_let_into_a_group_joins_it_later(world: World) -> None:
    """As while a member of another kind is in it."""
    kafka = world.config.kafka
    topics = kafka.topics
    stranger = AIOKafkaConsumer(
        topics.events,
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=topics.group_id(AMPLITUDE, Kind.EVENT),
        enable_auto_commit=False,
        partition_assignment_strategy=(RoundRobinPartitionAssignor,),
    )
    await world.produce(topics.events, [event(1, 1)])
    await stranger.start()
    with capture_logs() as said:
        async with with_amplitude(world).delivering():
            await eventually(lambda: any("retrying" in line["event"] for line in said))
            await stranger.stop()
            await world.until_accepted("amplitude", 1)
    assert len(await world.received("amplitude")) == 1
