"""Writing dead letters and parked records, while Kafka takes some of them, or none."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random

import orjson

from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Response
from consumers.destinations.amplitude.events import destinations
from consumers.drain import Drain
from consumers.kafka.letters import Letters
from consumers.letter_writing import DEAD_LETTERS_MAX, LetterWriting
from consumers.metrics import Counts
from schemas.configuration.config import Kafka
from schemas.kafka.batches import NotStored
from schemas.kafka.log import Log
from schemas.kafka.outage import Outage
from schemas.kafka.sizes import Sizes
from schemas.records import Appendable, RawRecord, Stored, TopicPartition
from schemas.topics import Kind
from schemas.vendors.amplitude import AmplitudeDestination
from tests.eventually import DEADLINE_SECONDS, eventually

EVENTS, PARKED = "events", "parked"
DESTINATION = destinations(
    AmplitudeDestination.model_validate(
        {"name": "a", "type": "amplitude", "api_key": "key", "region": "us"}
    )
)[0]
NOW = 100.0


class Away(Log):
    """Some partitions take no writes; dead letters are not taken at all."""

    def __init__(self, *partitions: int) -> None:
        self._away = partitions
        self.sizes = Sizes()
        self.outage = Outage("letters wait")
        self.stored: list[tuple[int, int]] = []  # Partitions, and how many.
        self.tried = 0

    def fits(self, topic: str, record: Appendable) -> bool:
        return True

    async def store(self, topic: str, record: RawRecord) -> None:
        self.tried += 1
        raise NotStored("no leader")

    async def store_in_order(
        self, topic: str, records: Sequence[RawRecord], partition: int
    ) -> tuple[int, BaseException | None]:
        self.tried += 1
        if partition in self._away:
            return 0, NotStored("no leader")
        self.stored.append((partition, len(records)))
        return len(records), None


class World:
    def __init__(self, log: Away, *partitions: int) -> None:
        self.log = log
        self.delivery = Delivery(
            DESTINATION,
            topic=EVENTS,
            parked_topic=PARKED,
            memory_max_bytes=10_000_000,
            random=Random(0),
        )
        self.places = [TopicPartition(topic, at) for topic in (EVENTS, PARKED) for at in partitions]
        for place in self.places:
            self.delivery.assign(place, 0)
        self.drain = Drain("a/events", lambda: 0)
        self.writing = LetterWriting(
            "a",
            Letters(Kafka(bootstrap_servers="none:1"), log, Random(0)),
            self.delivery,
            self.drain,
            Counts("letters-away", Kind.EVENT),
            lambda: None,
        )

    def hold_for_long(self, partition: int, *users: str) -> None:
        """Records of these are read, sent, and have to wait for an hour."""
        values = [b'{"event_type":"e","user_id":"%b"}' % user.encode() for user in users]
        self.delivery.accept(
            [
                Stored(EVENTS, partition, at, 1, user.encode(), value, ())
                for at, (user, value) in enumerate(zip(users, values, strict=True))
            ],
            NOW,
        )
        batch = self.delivery.next_batch(NOW + 10.0)
        assert batch is not None
        told = {"code": 429, "exceeded_daily_quota_users": dict.fromkeys(users, 500_001)}
        self.delivery.settle(batch, Response(429, orjson.dumps(told)), NOW + 10.0)

    @asynccontextmanager
    async def parking(self) -> AsyncIterator[None]:
        parking = asyncio.create_task(self.writing.park())
        self.writing.planned()
        try:
            yield
        finally:
            parking.cancel()
            await asyncio.wait([parking])


async def test_a_partition_that_takes_no_parked_record_delays_no_other() -> None:
    world = World(Away(0), 0, 1)
    world.hold_for_long(0, "user-1", "user-2")
    async with world.parking():
        await eventually(lambda: world.log.tried > 0)
        world.hold_for_long(1, "user-3", "user-4", "user-5")
        world.writing.planned()
        await eventually(lambda: world.log.stored == [(1, 3)])
    assert world.delivery.snapshot().leaving == 0


async def test_a_partition_with_much_to_be_parked_is_read_no_further_and_others_are() -> None:
    world = World(Away(0), 0, 1)
    users = [f"user-{number}" for number in range(1500)]
    world.hold_for_long(0, *users)
    assert world.delivery.full() == {TopicPartition(EVENTS, 0)}
    assert world.delivery.has_room
    world.delivery.revoke(world.places)
    assert world.delivery.snapshot().leaving == world.delivery.snapshot().bytes == 0


async def test_what_another_owner_has_now_is_not_parked_any_more() -> None:
    """As after the topic was made anew with fewer partitions; and it would be sent once more."""
    world = World(Away(1), 0, 1)
    world.hold_for_long(1, "user-1")
    async with world.parking():
        await eventually(lambda: world.log.tried > 0)
        world.delivery.revoke(world.places)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await world.drain.drained(DEADLINE_SECONDS)
        for place in world.places:
            world.delivery.assign(place, 0)
        world.hold_for_long(0, "user-2")
        world.writing.planned()
        await eventually(lambda: world.log.stored == [(0, 1)])
    assert world.delivery.snapshot().bytes == 0


async def test_no_more_dead_letters_are_written_at_once_than_memory_allows() -> None:
    world = World(Away(), 0)
    count = 3 * DEAD_LETTERS_MAX
    world.delivery.accept([Stored(EVENTS, 0, at, 1, None, b"{", ()) for at in range(count)], NOW)
    tasks = []
    while (writing := world.writing.begin()) is not None:
        tasks.append(asyncio.create_task(writing))
    await eventually(lambda: world.log.tried > 0)
    assert len(tasks) == DEAD_LETTERS_MAX
    assert world.delivery.snapshot().rejected == count - DEAD_LETTERS_MAX

    world.delivery.revoke(world.places)  # Another owner writes them.
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.wait(tasks)
    snapshot = world.delivery.snapshot()
    assert (snapshot.rejected, snapshot.unsettled, snapshot.bytes) == (0, 0, 0)
