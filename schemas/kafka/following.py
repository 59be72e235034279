"""Follows the topic of suppressions: each edge worker and each delivery has one follower.

It reads the topic to its end before anything is stored or delivered, and goes on reading. What it
knows stays valid while Kafka is away, or does not let us read the topic. After more than an hour
without an answer it reads the topic from the beginning, as the tombstones of that time may be gone;
so it does when partitions were added, or when the topic was made anew.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from schemas.cancellation import is_cancelled, lasting
from schemas.configuration.config import Kafka
from schemas.kafka.client import started
from schemas.kafka.fetching.fetch import Consumer
from schemas.kafka.fetching.fetched import UnreadableError
from schemas.kafka.fetching.taken import Taken
from schemas.kafka.login import client_arguments
from schemas.suppressions import Suppressions, odd

POLL_MS = 1_000
RECORDS_MAX = 5_000  # Applied at once, in about 3 ms.
READ_BYTES_MAX = 4_000_000
FETCH_BYTES = 1_000_000  # Of each partition.
LOOK_SECONDS = 3.0  # Between looks for the topic, and for partitions that were added.
STALE_SECONDS = 3_600.0  # Kafka keeps tombstones for a day (`delete.retention.ms`).
RECONNECT_SECONDS = 1.0
ANSWER_SECONDS = 5.0
STOP_SECONDS = 5.0

log = structlog.get_logger()


class Follower:
    """Changes `suppressions` as the topic does, within 2 s."""

    def __init__(self, kafka: Kafka, on_odd: Callable[[int], None]) -> None:
        """`on_odd` counts records that name nobody, or whose value is no JSON object."""
        self._kafka = kafka
        self._on_odd = on_odd
        self._topic = kafka.topics.suppressions
        self.suppressions = Suppressions(is_known=False)
        self.read_at = 0.0  # When Kafka last answered of each partition, on the wall clock.
        self._known = asyncio.Event()
        self._positions: dict[TopicPartition, int] = {}
        self._said: str | None = None  # What keeps it from following.

    async def known(self) -> None:
        """Returns once the topic was read to its end, or there is none."""
        await self._known.wait()

    async def run(self) -> None:
        """Until it is cancelled, however often Kafka goes away."""
        while not is_cancelled():  # Whatever closing the consumer raises may take its place.
            try:
                await lasting(self._connected)
            except Exception as error:  # noqa: BLE001  Whatever it was, Kafka may come back.
                if self._is_news("unreadable"):
                    log.warning(
                        "suppressions cannot be read, those that are known stay", error=repr(error)
                    )
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _connected(self) -> None:
        consumer = _consumer(self._kafka)
        try:
            await started(consumer)
            await self._follow(consumer)
        finally:
            # A failure to close must not take the place of a cancellation: nothing would end then.
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await consumer.stop()

    async def _follow(self, consumer: Consumer) -> None:
        while True:
            try:
                if count := await self._partitions(consumer):
                    places = [TopicPartition(self._topic, number) for number in range(count)]
                    await self._read(consumer, places)
                    continue
                if self._is_news("absent"):
                    log.warning("suppressions have no topic", topic=self._topic)
                self._nobody()
            except TopicAuthorizationFailedError:
                self.suppressions.is_forbidden = True
                if self._is_news("forbidden"):
                    log.error("suppressions may not be read", topic=self._topic)
            await asyncio.sleep(LOOK_SECONDS)

    async def _partitions(self, consumer: Consumer) -> int:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await consumer.partitions_of(self._topic)

    async def _read(self, consumer: Consumer, places: Sequence[TopicPartition]) -> None:
        """Until there are other partitions, or all has to be read anew."""
        consumer.assign(places)
        begins = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        is_stale = time.time() - self.read_at > STALE_SECONDS
        reading = self.suppressions
        if is_stale or not _are_within(self._positions, begins, ends):
            self._positions, reading = dict(begins), Suppressions()
        for place in places:
            consumer.seek(place, self._positions[place])
        look_at = time.monotonic() + LOOK_SECONDS
        while True:
            taken = await consumer.take(
                places, timeout_ms=POLL_MS, records_max=RECORDS_MAX, bytes_max=READ_BYTES_MAX
            )
            self._apply(taken, reading, consumer)
            if all(self._positions[place] >= ends[place] for place in places):
                reading = self._knows(reading)
            if not self._is_fresh(consumer, places):
                return
            if time.monotonic() > look_at:
                look_at = time.monotonic() + LOOK_SECONDS
                if await self._partitions(consumer) != len(places):
                    return
            await asyncio.sleep(0)  # There may be more at once; others run in between.

    def _apply(self, taken: Taken, reading: Suppressions, consumer: Consumer) -> None:
        count = 0
        for records in taken.records:
            count += reading.read(records) + odd([one.value for one in records])
        self._positions.update(taken.positions)
        # Of a new leader, what it may not have stays suppressed.
        for place, error in taken.other_errors(consumer.believe):
            if not isinstance(error, UnreadableError):
                raise error
            count += error.before - error.first
            self._positions[place] = error.before
            consumer.seek(place, error.before)
        if count:
            self._on_odd(count)
            log.warning("odd records in the topic of suppressions", records=count)

    def _knows(self, read: Suppressions) -> Suppressions:
        """All up to the end is read: from now on it counts."""
        self.suppressions.is_forbidden = False
        if read is not self.suppressions:
            self.suppressions.become(read)
            log.info("suppressions read", users_and_domains=len(read))
        elif self._said is not None:
            log.info("suppressions can be read again", users_and_domains=len(read))
        self._said = None
        self._known.set()
        return self.suppressions

    def _nobody(self) -> None:
        """Nobody more: those that were known stay suppressed until the process ends."""
        self._positions = {}
        self.suppressions.is_known, self.suppressions.is_forbidden = True, False
        self._known.set()

    def _is_news(self, what: str) -> bool:
        was, self._said = self._said, what
        return was != what

    def _is_fresh(self, consumer: Consumer, places: Sequence[TopicPartition]) -> bool:
        """Whether Kafka was never away for so long that tombstones may be gone."""
        times = consumer.fetched_at(places)
        if len(times) < len(places):
            return True  # Not all were asked yet.
        read_at = min(times)
        if self.read_at and read_at - self.read_at > STALE_SECONDS:
            return False
        self.read_at = read_at
        return True


def _are_within(
    positions: dict[TopicPartition, int],
    begins: dict[TopicPartition, int],
    ends: dict[TopicPartition, int],
) -> bool:
    """Whether reading can go on from there."""
    return positions.keys() == begins.keys() and all(
        begins[place] <= at <= ends[place] for place, at in positions.items()
    )


def _consumer(kafka: Kafka) -> Consumer:
    return Consumer(
        **client_arguments(kafka),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
