"""Which pulls are ours: the partitions of `ampgate.cursors` that the group gives this process."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from schemas.cancellation import is_cancelled, lasting
from schemas.configuration.config import Kafka
from schemas.kafka.fetching.fetch import Consumer, left
from schemas.kafka.login import client_arguments

POLL_MS = 1_000
RECORDS_MAX, BYTES_MAX = 1_000, 1_000_000  # Of what is read to see whether it may be read.
RECONNECT_SECONDS = 1.0
ASK_SECONDS = 5.0
HEARD_SECONDS = 20.0
NEVER = float("-inf")
log = structlog.get_logger()
Partitions = frozenset[int]
Given = Callable[[Partitions, int], Awaitable[None]]  # The partitions, and how many there are.


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types.
    """Calls `given` after each assignment, and `taken` before what it gave is another's."""

    def __init__(
        self,
        kafka: Kafka,
        given: Given,
        taken: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kafka = kafka
        self._given = given
        self._taken = taken
        self._clock = clock
        self._consumer: Any = None
        self._is_member = False
        self._heard_at = NEVER  # Of Kafka, since we are in the group.
        self._said: str | None = None  # What keeps us from using Kafka.

    @property
    def is_reached(self) -> bool:
        """Whether we are in the group, and Kafka answers."""
        return self._clock() - self._heard_at <= HEARD_SECONDS

    async def on_partitions_revoked(self, _revoked: Collection[TopicPartition]) -> None:
        await self._taken()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        topic = self._kafka.topics.cursors
        count = len(self._consumer.partitions_for_topic(topic) or ())
        self._is_member, self._heard_at = True, self._clock()
        await self._given(frozenset(place.partition for place in assigned), count)

    async def run(self) -> None:
        """Until it is cancelled, however often Kafka goes away."""
        while not is_cancelled():
            try:
                await lasting(self._member)
            except Exception as error:  # noqa: BLE001  Whatever it was, Kafka may come back.
                self._cannot(error)
            self._is_member, self._heard_at = False, NEVER
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _member(self) -> None:
        async with self._joined() as consumer:
            while True:  # A member that asks for nothing is taken for dead.
                taken = await consumer.take(
                    consumer.assignment(),
                    timeout_ms=POLL_MS,
                    records_max=RECORDS_MAX,
                    bytes_max=BYTES_MAX,
                )
                refusals = [error for _, error in taken.other_errors(consumer.believe)]
                if refusals:
                    await self._refused(refusals[0])
                elif self._is_member:
                    await self._ask(consumer)

    async def _refused(self, error: KafkaError) -> None:
        """Whoever may not read now stays in the group: to join again and again stops all pulls."""
        if not isinstance(error, TopicAuthorizationFailedError):
            raise error
        self._cannot(error)
        self._heard_at = NEVER
        await asyncio.sleep(RECONNECT_SECONDS)

    def _cannot(self, error: Exception) -> None:
        if self._said != repr(error):
            log.warning("Kafka cannot be used, trying again", error=repr(error))
        self._said = repr(error)

    async def _ask(self, consumer: Consumer) -> None:
        """Whether Kafka answers: a consumer goes on without a word where it does not."""
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(ASK_SECONDS):
                await consumer.partitions_of(self._kafka.topics.cursors)
                self._heard_at = self._clock()
                if self._said is not None:
                    log.info("Kafka can be used again")
                self._said = None

    @asynccontextmanager
    async def _joined(self) -> AsyncIterator[Any]:
        topics = self._kafka.topics
        self._consumer = Consumer(
            **client_arguments(self._kafka),
            group_id=topics.pull_group,
            enable_auto_commit=False,
            auto_offset_reset="latest",
        )
        try:
            await self._consumer.start()
            self._consumer.subscribe([topics.cursors], listener=self)
            yield self._consumer
        finally:
            await self._taken()
            await left(self._consumer)
