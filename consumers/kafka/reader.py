"""Reading a topic and its parked records from Kafka, and committing."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog
from aiokafka import ConsumerRebalanceListener
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import KafkaError

from consumers.kafka.committing import Commits
from consumers.kafka.membership import new_consumer
from consumers.kafka.notes import Committed, Notes
from consumers.kafka.read import Read
from consumers.kafka.settling_in import SettlingIn
from consumers.kafka.start import Start
from consumers.kafka.troubles import Troubles
from schemas.configuration.config import Kafka
from schemas.kafka.client import RECONNECT_SECONDS, answered, first_started
from schemas.kafka.fetching.batches import MayHave
from schemas.kafka.fetching.fetch import Consumer, left
from schemas.kafka.fetching.taken import Taken
from schemas.kafka.login import client_arguments
from schemas.records import Offsets, Standing, TopicPartition

POLL_MILLISECONDS = 200
ROOM_MILLISECONDS = 10  # Some are full, and may soon be no more.
READ_BYTES_MAX = 8_000_000  # Of values, decompressed, in one read.
log = structlog.get_logger()


class Reader(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types.
    """One consumer group's view of one topic, and of what is parked of it.

    A member is given the same partitions of both, as far as both have them.
    """

    def __init__(
        self,
        kafka: Kafka,
        topic: str,
        parked_topic: str | None,
        group_id: str,
        on_assigned: Callable[[Mapping[TopicPartition, Committed]], None],
        on_revoked: Callable[[Collection[TopicPartition]], Awaitable[None]],
        begins: Start = "earliest",
        may_be_ours: MayHave | None = None,
    ) -> None:
        """`may_be_ours`: which records of the parked topic are not passed over unread."""
        self._topic = topic
        self._parked_topic = parked_topic
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._kafka = kafka
        self._group_id = group_id
        self.notes = Notes(client_arguments(kafka), group_id, parked_topic)
        self._begins = begins
        self._may_be_ours = may_be_ours
        self._group_trouble: str | None = "not_started"

    async def start(self) -> None:
        await answered(first_started(self._opened, left))
        self._group_trouble = None

    def _opened(self) -> Consumer:
        topics, may_have = [self._topic], dict[str, MayHave]()
        if self._parked_topic is not None:
            topics.append(self._parked_topic)
            if self._may_be_ours is not None:
                may_have[self._parked_topic] = self._may_be_ours
        self._consumer = new_consumer(self._kafka, self._group_id, may_have)
        self._troubles = Troubles(self._consumer)
        self._commits = Commits(self._consumer)
        self.settling_in = SettlingIn(
            self._consumer,
            self._topic,
            self._parked_topic,
            self._begins,
            self.notes,
            self._troubles,
            self._on_assigned,
        )
        self._consumer.subscribe(topics, listener=self)
        return self._consumer

    async def stop(self) -> None:
        await left(self._consumer)

    @property
    def trouble(self) -> str | None:
        """What keeps us from reading, if anything does; it may pass."""
        return self._group_trouble or self._troubles.passing

    async def read(self, *, full: Collection[TopicPartition] | None, records_max: int) -> Read:
        """What has come, by partition, but of those that are `full`; `None` means all are.

        Then it reads of the parked only, and stays in the group. A full partition is not paused:
        that would throw away what was fetched of it.
        """
        lost = await self._troubles.looked_into()
        await self.settling_in.go_on()
        has_room = full is not None and not full
        taken = await self._take(self._wanted(full), records_max, has_room=has_room)
        # Nothing is awaited from here on: what a rebalance takes away must not be given out.
        self._troubles.happened(taken)
        return Read.of(lost, taken, self._troubles.cut)

    async def _take(
        self, wanted: Collection[KafkaPartition], records_max: int, *, has_room: bool
    ) -> Taken:
        try:
            taken = await self._consumer.take(
                wanted,
                timeout_ms=POLL_MILLISECONDS if has_room else ROOM_MILLISECONDS,
                records_max=records_max,
                bytes_max=READ_BYTES_MAX,
            )
        except KafkaError as error:
            if self._group_trouble is None:
                log.error(
                    "consumer group cannot be used, retrying",
                    group=self._group_id,
                    error=str(error),
                )
            self._group_trouble = type(error).__name__
            await asyncio.sleep(RECONNECT_SECONDS)
            return Taken()
        if self._group_trouble is not None:
            log.info("consumer group can be used again", group=self._group_id)
            self._group_trouble = None
        return taken

    def restarted(self, place: TopicPartition) -> int | None:
        """Where a log that was cut is read from now: nothing read of it is unsettled."""
        return self._troubles.restarted(KafkaPartition(*place))

    def _wanted(self, full: Collection[TopicPartition] | None) -> Collection[KafkaPartition]:
        waiting = self._troubles.waiting
        return [
            place
            for place in self._consumer.assignment()
            if place not in waiting
            and self.settling_in.may_be_read(place)
            and (place.topic != self._topic or (full is not None and place not in full))
        ]

    async def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        """Commit those of our partitions, each with a note; what fails comes the next time."""
        await self._commits.store(offsets)

    @property
    def note_bytes_max(self) -> int:
        """How long the note of a commit may be."""
        return self._commits.note_bytes_max

    def epoch(self, place: TopicPartition, read_to: int) -> int | None:
        return self._troubles.epochs.before(place, read_to)

    def numbers(self, topic: str) -> Collection[int]:
        """A topic's partitions, as far as they are known."""
        numbers: Collection[int] = self._consumer.partitions_for_topic(topic) or ()
        return numbers

    async def standings(self) -> dict[TopicPartition, Standing]:
        """Of the topic's partitions that are ours, as far as known."""
        own = [place for place in self._consumer.assignment() if place.topic == self._topic]
        found = await self._consumer.standings(own)
        return {TopicPartition(*place): standing for place, standing in found.items()}

    def withheld(self) -> dict[TopicPartition, Offsets]:
        """What Kafka keeps back until a transaction ends, of all partitions that are ours."""
        found = self._consumer.withheld(self._consumer.assignment())
        return {TopicPartition(*place): offsets for place, offsets in found.items()}

    def answers(self) -> dict[TopicPartition, object]:
        """Of the topic's partitions that are ours: what changes with each answer of Kafka."""
        own = [place for place in self._consumer.assignment() if place.topic == self._topic]
        found = self._consumer.answers(own)
        return {TopicPartition(*place): at for place, at in found.items()}

    async def on_partitions_revoked(self, revoked: Collection[KafkaPartition]) -> None:
        self.settling_in.revoked()
        self._troubles.clear()
        await self._on_revoked([TopicPartition(p.topic, p.partition) for p in revoked])

    def on_partitions_assigned(self, assigned: Collection[KafkaPartition]) -> None:
        """`read` does the rest: aiokafka sends no heartbeat before we return."""
        self.settling_in.assigned(assigned)
