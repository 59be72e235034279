"""aiokafka's consumer, with another fetcher: errors come as values, and reads are bounded by bytes.

aiokafka's own `getmany` raises what concerns one partition, and then forgets what it had already
taken of others; it skips what it cannot parse or parses it again for ever; and it knows records,
not bytes. `fetcher` takes the place of aiokafka's, for every consumer of the process.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import aiokafka.consumer.consumer
from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from schemas.kafka.fetching.batches import MayHave
from schemas.kafka.fetching.fetcher import ErrorsAsValues
from schemas.kafka.fetching.leader_epochs import end_of_epoch
from schemas.kafka.fetching.log_ends import log_end
from schemas.kafka.fetching.taken import Taken
from schemas.records import Offsets, Standing

FRESH_SECONDS = 5.0
NEVER = float("-inf")
LEAVE_SECONDS = 5.0


class ConsumerEndedError(Exception):
    """A task of aiokafka's has ended: only a new consumer reads on."""


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types.
    def __init__(
        self,
        may_have: Mapping[str, MayHave] | None = None,
        **arguments: Any,  # noqa: ANN401  aiokafka's own.
    ) -> None:
        """`may_have`, by topic: batches that have nothing that is looked for are passed over."""
        super().__init__(**arguments)
        self._may_have = may_have or {}
        self._asked_at: dict[TopicPartition, float] = {}  # For their ends, monotonic.
        self._failed: list[asyncio.Task[None]] = []  # Tasks for which the group was joined again.

    async def start(self) -> None:
        await super().start()
        self._fetcher.may_have = self._may_have

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
        names = ("_heartbeat_task", "_commit_refresh_task")
        self._join_again_without([getattr(self._coordinator, name, None) for name in names])
        self._coordinator.check_errors()
        with self._subscription.fetch_context():
            taken: Taken = await self._fetcher.taken(
                partitions, timeout_ms / 1000, records_max, bytes_max
            )
        return taken

    async def partitions_of(self, topic: str) -> int:
        """How many it has now; 0 if it does not exist. Asking does not create it.

        Raises `TopicAuthorizationFailedError` where we may not see it.
        """
        request = MetadataRequest([topic], allow_auto_topic_creation=False)
        answer = await self._client.send(self._client.get_random_node(), request)
        for code, *_, partitions in answer.topics:
            if for_code(code) is TopicAuthorizationFailedError:
                raise TopicAuthorizationFailedError(topic)
            return len(partitions)
        return 0

    def has_leader(self, place: TopicPartition) -> bool:
        """Whether one is known."""
        return self._client.cluster.leader_for_partition(place) not in (None, -1)

    async def look_for_leaders(self) -> None:
        """Ask Kafka which there are now; what cannot be learned in a moment stays as it was."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FRESH_SECONDS):
                await self._client.force_metadata_update()

    def is_hidden(self, topic: str) -> bool:
        """Whether Kafka lets us not even see it, by what it last told of its topics."""
        return topic in self._client.cluster.unauthorized_topics

    async def abandon(self) -> None:
        """Close the connections of one whose `stop` was given up: it may wait for a whole join."""
        await self._coordinator._stop_heartbeat_task()  # noqa: SLF001  As its `close` does.
        await self._coordinator._stop_commit_offsets_refresh_task()  # noqa: SLF001  As above.
        await self._fetcher.close()
        await self._client.close()

    def _join_again_without(self, tasks: Collection[asyncio.Task[None] | None]) -> None:
        """aiokafka starts these as it joins: after an error it would go on without them."""
        failed = [task for task in tasks if task and task.done() and not task.cancelled()]
        failed = [task for task in failed if task.exception() is not None]
        if any(task not in self._failed for task in failed):
            self._coordinator.request_rejoin()
        self._failed = failed

    def _check_tasks(self) -> None:
        """aiokafka would go on without them, and nothing be read any more."""
        coordinating = getattr(self._coordinator, "_coordination_task", None)
        for task in (self._fetcher.error_future, coordinating):
            if task is not None and task.done() and not self._closed:
                raise ConsumerEndedError(repr(task.exception()))

    def read_to(self, place: TopicPartition) -> tuple[int, int] | None:
        """Up to where we read, and the epoch of the leader that wrote the last of it, if known."""
        found: tuple[int, int] | None = self._fetcher.read_to.get(place)
        return found

    def believe(self, place: TopicPartition, position: int, epoch: int | None) -> None:
        """Up to this position the log has what we read, and no later epoch; None: who knows."""
        if epoch is None:
            self._fetcher.read_to.pop(place, None)
        else:
            self._fetcher.read_to[place] = position, epoch

    async def end_of_epoch(self, place: TopicPartition, epoch: int) -> int | None:
        """As `leader_epochs` has it."""
        return await end_of_epoch(self._client, place, epoch)

    def was_fetched_since(self, place: TopicPartition, monotonic: float) -> bool:
        """Whether Kafka let us read it since then, even if there was nothing to read."""
        told_at: float = self._fetcher.told_at.get(place, NEVER)
        return told_at > monotonic

    async def standings(self, places: Collection[TopicPartition]) -> dict[TopicPartition, Standing]:
        """How far these were read, as far as known; only complete transactions count.

        Of a partition that is not fetched, as it is full or waits, the end is asked for.
        """
        assignment = self._subscription.subscription.assignment
        states = {place: assignment.state_value(place) for place in places}
        now = time.monotonic()
        # Asking for one without a leader would keep those of the others, too.
        led = filter(self.has_leader, states)
        stale = [place for place in led if self._answered_at(place) < now - FRESH_SECONDS]
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(FRESH_SECONDS):
                for place, end in (await self.end_offsets(stale)).items():
                    state = states[place]
                    # It was less only behind a transaction that is open, or in a log that was cut.
                    is_less = end < (state.highwater or 0)
                    state.highwater = await self._log_end(place) if is_less else end
                    state.lso = end
                    self._asked_at[place] = now
        return {
            place: Standing(one.position, max(one.position, _end_of(one)))
            for place, one in states.items()
            if one.has_valid_position and one.highwater is not None
        }

    async def log_ends(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Where these end, with what is behind unfinished transactions; raises `KafkaError`."""
        return {place: await self._log_end(place) for place in places}

    async def _log_end(self, place: TopicPartition) -> int:
        return await log_end(self._client, self._client.cluster, place)

    def withheld(self, places: Collection[TopicPartition]) -> dict[TopicPartition, Offsets]:
        """Of those of which Kafka gives out no more until a transaction ends: what is behind it."""
        assignment = self._subscription.subscription.assignment
        states = {place: assignment.state_value(place) for place in places}
        return {
            place: Offsets(_end_of(one), one.highwater)
            for place, one in states.items()
            if one.highwater is not None and _end_of(one) < one.highwater
        }

    def answers(self, places: Collection[TopicPartition]) -> dict[TopicPartition, object]:
        """When Kafka last said where each ends, of itself or asked: to compare only."""
        return {place: self._answered_at(place) for place in places}

    def _answered_at(self, place: TopicPartition) -> float:
        told_at: float = self._fetcher.told_at.get(place, NEVER)
        return max(told_at, self._asked_at.get(place, NEVER))

    def fetched_at(self, places: Collection[TopicPartition]) -> list[float]:
        """When each of these was fetched last, on the wall clock, but for those never fetched."""
        assignment = self._subscription.subscription.assignment
        times = [assignment.state_value(place).timestamp for place in places]
        return [milliseconds / 1000 for milliseconds in times if milliseconds]

    async def all_committed(
        self, places: Collection[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """Of those that have an offset."""
        found = await self._coordinator.fetch_committed_offsets(list(places))
        return {place: one for place, one in found.items() if one.offset >= 0}

    async def commit_for_all(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        """As `commit`, also of partitions that are not ours."""
        kept = {place: OffsetAndMetadata(*one) for place, one in offsets.items()}
        await self._coordinator.commit_offsets(self._subscription.subscription.assignment, kept)


async def left(consumer: Consumer) -> None:
    """Leave the group, unless that takes too long: then only the connections are closed."""
    try:
        async with asyncio.timeout(LEAVE_SECONDS):
            await consumer.stop()
    except (KafkaError, TimeoutError):
        await consumer.abandon()


def _end_of(state: Any) -> int:  # noqa: ANN401  aiokafka's `TopicPartitionState`.
    is_stable_known = state.lso is not None and state.lso >= 0
    return int(state.lso if is_stable_known else state.highwater)


aiokafka.consumer.consumer.Fetcher = ErrorsAsValues
