"""Read made-up logs with the real consumer, and check all that it gives out against them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, NoOffsetForPartitionError, OffsetOutOfRangeError

from schemas.kafka.fetching.fetch import Consumer
from schemas.kafka.fetching.fetched import UnreadableError
from schemas.kafka.fetching.taken import NewLeaderError, Taken, is_by_another
from tests.unit.schemas.kafka.made_up_client import NODES, Client
from tests.unit.schemas.kafka.reading_steps import (
    PLACES,
    TOPIC,
    Answer,
    Append,
    Delete,
    Fail,
    GiveWay,
    Move,
    Pause,
    Rebalance,
    Resume,
    Seek,
    Step,
    Take,
)
from tests.unit.schemas.kafka.stored_logs import OURS, Log

TURNS = 15  # Of the loop, until all that a step leads to has happened.
HANG_SECONDS = 20.0  # It takes milliseconds.


class Reading:
    """A consumer, and where it should be in the logs."""

    def __init__(self, consumer: Consumer, client: Client) -> None:
        self.consumer = consumer
        self.client = client
        self.positions = dict.fromkeys(PLACES, 0)
        self.read_to: dict[TopicPartition, tuple[int, int]] = {}  # Before what is taken next.
        self.assigned = frozenset(PLACES)
        self.taking: asyncio.Task[Taken] | None = None
        self.limits = (0, 0)

    async def do(self, step: Step) -> None:
        match step:
            case Answer():
                self.client.answer(*step)
            case Fail():
                self.client.fail(KafkaConnectionError())
            case Take():
                await self.take(step)
            case Append(place, write):
                self.client.logs[place].append(write)
            case Delete(place, batches):
                self.delete(self.client.logs[place], batches)
            case Seek(place, back) if place in self.assigned:
                log = self.client.logs[place]
                self.seek(place, max(0, min(self.positions[place], log.stable) - back))
            case Pause(place) if place in self.assigned:
                self.consumer.pause(place)
            case Resume(place) if place in self.assigned:
                self.consumer.resume(place)
            case Rebalance(places, is_prompt, takes):
                await self.rebalance(places, is_prompt=is_prompt, takes=takes)
            case GiveWay():
                self.consumer._fetcher.give_way()
            case Move(place, is_known):
                leader = self.client.leaders[place]
                self.client.leaders[place] = next(node for node in NODES if node != leader)
                if is_known:
                    self.client.look_for_leaders()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)
            self.check_taken()
        assert self.consumer._fetcher.held_bytes >= 0

    def check_taken(self) -> None:
        if self.taking is not None and self.taking.done():
            taken, self.taking = self.taking.result(), None
            self.check(taken)

    async def take(self, step: Take) -> None:
        if self.taking is not None:
            self.taking.cancel()
            with suppress(asyncio.CancelledError):
                self.check(await self.taking)
        self.limits = step.records_max, step.bytes_max
        self.taking = asyncio.create_task(
            self.consumer.take(
                step.wanted,
                timeout_ms=20_000 if step.waits else 0,
                records_max=step.records_max,
                bytes_max=step.bytes_max,
            )
        )

    def delete(self, log: Log, batches: int) -> None:
        ends = [one.end for one in log.from_(log.start) if one.end <= log.stable]
        log.start = ends[:batches][-1] if ends else log.start

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.consumer.seek(place, offset)
        self.positions[place] = offset

    async def rebalance(
        self, places: frozenset[TopicPartition], *, is_prompt: bool, takes: bool
    ) -> None:
        """As aiokafka's coordinator does it."""
        subscription = self.consumer._subscription
        subscription.begin_reassignment()
        self.assigned = frozenset()
        await self.settle()
        if takes:
            await self.take(Take(frozenset(PLACES), 100, 10_000, waits=True))
            await self.settle()
        subscription.assign_from_subscribed(set(places))
        self.assigned = places
        if not is_prompt:
            await self.settle()
        for place in places:
            self.seek(place, self.positions[place])

    def check(self, taken: Taken) -> None:
        assert taken.positions.keys() | taken.errors.keys() <= self.assigned
        assert taken.positions.keys().isdisjoint(self.consumer.paused())
        records = [one for part in taken.records for one in part]
        records_max, bytes_max = self.limits
        assert len(records) <= records_max
        assert sum(len(one.value or b"") for one in records[:-1]) < bytes_max
        assert {one.partition for one in records} <= {one.partition for one in taken.positions}
        for place, position in taken.positions.items():
            given = {one.offset: one.value for one in records if one.partition == place.partition}
            self.check_records(place, given, position)
            self.check_epoch(place, position)
            self.positions[place] = position
        for place, error in taken.errors.items():
            self.check_error(place, error)
        self.read_to = dict(self.consumer._fetcher.read_to)

    def check_records(
        self, place: TopicPartition, given: Mapping[int, bytes | None], position: int
    ) -> None:
        log, before = self.client.logs[place], self.positions[place]
        assert before <= position <= log.stable
        possible: dict[int, bytes] = {}
        for one in log.from_(before):
            if one.base < position and not log.is_aborted(one):
                possible |= one.records
                assert one.broken_at is None or position <= max(before, one.broken_at)
        possible = {at: value for at, value in possible.items() if before <= at < position}
        assert list(given) == sorted(given)
        assert given.items() <= possible.items()
        assert all(not possible[at].startswith(OURS) for at in possible.keys() - given.keys())

    def check_epoch(self, place: TopicPartition, position: int) -> None:
        """All that was read is of one leader, and it is known which; another's is asked about."""
        before = self.positions[place]
        if position == before:
            return
        batches = self.client.logs[place].from_(before)
        [epoch] = {one.epoch for one in batches if one.base < position}
        assert not is_by_another(before, epoch, *self.read_to.get(place, (-1, -1)))
        assert self.consumer.read_to(place) == (position, epoch)

    def check_error(self, place: TopicPartition, error: Exception) -> None:
        """Go on as our readers do."""
        log, at = self.client.logs[place], self.positions[place]
        match error:
            case OffsetOutOfRangeError():
                assert (error.args[0], at < log.start) == ({place: at}, True)
                self.seek(place, log.start)
            case UnreadableError():
                broken = log.from_(at)[0]
                assert broken.broken_at is not None
                assert (error.first, error.before) == (at, broken.end)
                self.seek(place, broken.end)
            case NewLeaderError():
                self.consumer.believe(place, error.position, error.epoch)
            case NoOffsetForPartitionError():
                self.seek(place, at)

    async def read_to_the_end(self) -> None:
        if self.assigned != frozenset(PLACES):
            await self.rebalance(frozenset(PLACES), is_prompt=True, takes=False)
        for place in PLACES:
            self.consumer.resume(place)
        self.client.answer_promptly()
        ends = {place: log.readable_to for place, log in self.client.logs.items()}
        while any(self.positions[place] < end for place, end in ends.items()):
            await self.take(Take(frozenset(PLACES), 100, 10_000, waits=True))
            assert self.taking is not None
            await asyncio.wait([self.taking])
            self.check_taken()


@asynccontextmanager
async def reading(logs: Mapping[TopicPartition, Log]) -> AsyncIterator[Reading]:
    consumer = Consumer(
        {TOPIC: lambda records: OURS in records},
        auto_offset_reset="none",
        isolation_level="read_committed",
        retry_backoff_ms=1,
        consumer_timeout_ms=5,
    )
    client = Client(logs)
    consumer._client = client
    consumer.subscribe([TOPIC])
    await consumer.start()
    coordinator = consumer._coordinator  # It would assign what is told of leaders.
    client.cluster.remove_listener(coordinator._handle_metadata_update)
    consumer._fetcher._prefetch_backoff = 0.0
    found = Reading(consumer, client)
    for place in PLACES:
        found.seek(place, 0)
    await found.settle()
    try:
        async with asyncio.timeout(HANG_SECONDS):
            yield found
    finally:
        if found.taking is not None:
            found.taking.cancel()
        await consumer.stop()
