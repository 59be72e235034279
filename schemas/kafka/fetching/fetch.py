"""aiokafka's consumer, with another fetcher: errors come as values, and reads are bounded by bytes.

aiokafka's own `getmany` raises what concerns one partition, and then forgets what it had already
taken of others; it skips what it cannot parse or parses it again for ever; and it knows records,
not bytes. Three classes take the place of aiokafka's, for every consumer of the process.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiokafka.consumer.consumer
import aiokafka.consumer.fetcher
from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchError, FetchResult
from aiokafka.errors import KafkaError

from schemas.kafka.fetching.batches import Batches
from schemas.kafka.fetching.fetched import FetchedRecords, UnreadableError
from schemas.records import Record, Standing

FRESH_SECONDS = 5.0


class ConsumerEndedError(Exception):
    """A task of aiokafka's has ended: only a new consumer reads on."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was fetched: records, positions after them, and what went wrong, each by partition."""

    records: list[Sequence[Record]] = field(default_factory=list)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    errors: dict[TopicPartition, KafkaError] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.records or self.errors)


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types.
    def __init__(self, **arguments: Any) -> None:  # noqa: ANN401  aiokafka's own.
        super().__init__(**arguments)
        self._asked_at: dict[TopicPartition, float] = {}  # For their ends, on the wall clock.

    async def take(
        self,
        partitions: Collection[TopicPartition],
        *,
        timeout_ms: int,
        records_max: int,
        bytes_max: int,
    ) -> Taken:
        """What has been fetched of these partitions, or comes in time.

        Of values at most `bytes_max`, and one more. Raises `KafkaError` for what concerns the
        group; what concerns a partition is in the answer.
        """
        self._check_tasks()
        self._coordinator.check_errors()
        with self._subscription.fetch_context():
            taken: Taken = await self._fetcher.taken(
                partitions, timeout_ms / 1000, records_max, bytes_max
            )
        return taken

    async def abandon(self) -> None:
        """Close the connections of one whose `stop` was given up: it may wait for a whole join."""
        await self._coordinator._stop_heartbeat_task()  # noqa: SLF001  As its `close` does.
        await self._coordinator._stop_commit_offsets_refresh_task()  # noqa: SLF001  As above.
        await self._fetcher.close()
        await self._client.close()

    def _check_tasks(self) -> None:
        """aiokafka would go on without them, and nothing be read any more."""
        coordinating = getattr(self._coordinator, "_coordination_task", None)
        for task in (self._fetcher.error_future, coordinating):
            if task is not None and task.done() and not self._closed:
                raise ConsumerEndedError(repr(task.exception()))

    def was_fetched_since(self, place: TopicPartition, wall_seconds: float) -> bool:
        """Whether Kafka let us read it since then, even if there was nothing to read."""
        state = self._subscription.subscription.assignment.state_value(place)
        return state is not None and (state.timestamp or 0) / 1000 > wall_seconds

    async def standings(self, places: Collection[TopicPartition]) -> dict[TopicPartition, Standing]:
        """How far these were read, as far as known; only complete transactions count.

        Of a partition that is not fetched, as it is full or waits, the end is asked for.
        """
        assignment = self._subscription.subscription.assignment
        states = {place: assignment.state_value(place) for place in places}
        now = time.time()
        stale = [
            place
            for place, one in states.items()
            if max(self._asked_at.get(place, 0.0), (one.timestamp or 0) / 1000)
            < now - FRESH_SECONDS
        ]
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(FRESH_SECONDS):
                for place, end in (await self.end_offsets(stale)).items():
                    states[place].highwater = states[place].lso = end
                    self._asked_at[place] = now
        return {
            place: Standing(one.position, max(one.position, _end_of(one)))
            for place, one in states.items()
            if one.has_valid_position and one.highwater is not None
        }

    def answers(self, places: Collection[TopicPartition]) -> dict[TopicPartition, object]:
        """When Kafka last said where each ends, by aiokafka's wall clock: to compare only."""
        assignment = self._subscription.subscription.assignment
        return {place: assignment.state_value(place).timestamp for place in places}

    async def committed_offsets(
        self, places: Collection[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Of those that have one."""
        found = await self._coordinator.fetch_committed_offsets(list(places))
        return {place: one.offset for place, one in found.items() if one.offset >= 0}

    async def commit_for_all(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        """As `commit`, also of partitions that are not ours."""
        kept = {place: OffsetAndMetadata(*one) for place, one in offsets.items()}
        await self._coordinator.commit_offsets(self._subscription.subscription.assignment, kept)


def _end_of(state: Any) -> int:  # noqa: ANN401  aiokafka's `TopicPartitionState`.
    is_stable_known = state.lso is not None and state.lso >= 0
    return int(state.lso if is_stable_known else state.highwater)


class _Fetcher(Fetcher):  # type: ignore[misc]  # aiokafka has no types.
    async def taken(
        self,
        partitions: Collection[TopicPartition],
        seconds: float,
        records_max: int,
        bytes_max: int,
    ) -> Taken:
        deadline = time.monotonic() + seconds
        while True:
            if self._subscriptions.reassignment_in_progress:
                await self._subscriptions.wait_for_assignment()
            taken = self._take(partitions, records_max, bytes_max)
            left = deadline - time.monotonic()
            if taken or left <= 0:
                return taken
            waiter = self._create_fetch_waiter()
            await asyncio.wait([waiter], timeout=left)
            if not waiter.done():
                waiter.cancel()
                return taken
            waiter.result()  # It raises what concerns the group.

    def _take(
        self, partitions: Collection[TopicPartition], records_max: int, bytes_max: int
    ) -> Taken:
        taken = Taken()
        for place in list(self._records):
            if place not in partitions:
                if not self._subscriptions.is_assigned(place):
                    del self._records[place]
                continue
            if records_max <= 0 or bytes_max <= 0:
                break
            result = self._records[place]
            if isinstance(result, FetchError):
                taken.errors[place] = result._error  # noqa: SLF001
                self._forget(place)
            elif result.has_more() and result.check_assignment(place):
                records, size = self._take_of(place, result, taken, records_max, bytes_max)
                records_max -= records
                bytes_max -= size
            else:
                self._forget(place)
        return taken

    def _take_of(
        self,
        place: TopicPartition,
        result: FetchResult,
        taken: Taken,
        records_max: int,
        bytes_max: int,
    ) -> tuple[int, int]:
        """How many records and bytes they were."""
        records: list[Record] = []
        left, is_all = bytes_max, False
        fetched: FetchedRecords = result._partition_records  # noqa: SLF001
        try:
            while len(records) < records_max and left > 0 and not is_all:
                some, size = fetched.some(records_max - len(records), left)
                records += some
                left -= size
                is_all = not some
        except UnreadableError as error:
            taken.errors[place] = error
            is_all = True
        result._update_position()  # noqa: SLF001
        taken.positions[place] = fetched.next_fetch_offset
        if records:
            taken.records.append(records)
        if is_all:
            self._forget(place)
        return len(records), bytes_max - left

    def _forget(self, place: TopicPartition) -> None:
        """So that it is fetched again."""
        del self._records[place]
        self._notify(self._wait_consume_future)


aiokafka.consumer.fetcher.MemoryRecords = Batches
aiokafka.consumer.fetcher.PartitionRecords = FetchedRecords
aiokafka.consumer.consumer.Fetcher = _Fetcher
