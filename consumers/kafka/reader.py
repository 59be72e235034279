"""Reading a topic and its parked records from Kafka, and committing."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog
from aiokafka import ConsumerRebalanceListener
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import IllegalStateError, KafkaError

from consumers.delivery.moved import Ends
from consumers.kafka.committing import Commits
from consumers.kafka.membership import new_consumer
from consumers.kafka.moved import divided_anew, moved_to
from consumers.kafka.notes import Committed, Notes
from consumers.kafka.read import Read
from consumers.kafka.start import Start, began
from consumers.kafka.troubles import Troubles
from schemas.configuration.config import Kafka
from schemas.kafka.client import RECONNECT_SECONDS, answered, first_started
from schemas.kafka.fetching.fetch import Consumer, left
from schemas.kafka.fetching.taken import Taken
from schemas.kafka.login import client_arguments
from schemas.records import Standing, TopicPartition

POLL_MILLISECONDS = 200
ROOM_MILLISECONDS = 10  # Some are full, and may soon be no more.
READ_BYTES_MAX = 8_000_000  # Of values, decompressed, in one read.
log = structlog.get_logger()


class Reader(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types.
    """One consumer group's view of one topic, and of what is parked of it.

    A member is given the same partitions of both, as far as both have them. The topic's own one is
    not read before the parked one was, to the end that it then had.
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
    ) -> None:
        self._topic = topic
        self._parked_topic = parked_topic
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        # Assigned, and not read before we know what former owners left.
        self._settling: Collection[KafkaPartition] = ()
        self._scanning: dict[int, int] = {}  # Partitions, and up to where the parked are read.
        self._kafka = kafka
        self._group_id = group_id
        self.notes = Notes(client_arguments(kafka), group_id, parked_topic)
        self._begins = begins
        self._group_trouble: str | None = "not_started"
        self._count = 0  # Of the topic's partitions, when ours were assigned.
        self._divided: Mapping[TopicPartition, Committed] = {}

    async def start(self) -> None:
        await answered(first_started(self._opened, left))
        self._group_trouble = None

    def _opened(self) -> Consumer:
        self._consumer = new_consumer(self._kafka, self._group_id)
        topics = [self._topic] if self._parked_topic is None else [self._topic, self._parked_topic]
        self._troubles = Troubles(self._consumer)
        self._commits = Commits(self._consumer)
        self._consumer.subscribe(topics, listener=self)
        return self._consumer

    async def stop(self) -> None:
        await left(self._consumer)

    @property
    def is_settling_in(self) -> bool:
        return bool(self._settling)

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
        await self._end_scans()
        wanted: Collection[KafkaPartition] = ()
        if self._settling:
            await self._try_to_settle_in(self._settling)
        if not self._settling:
            if paused := self._consumer.paused():
                self._consumer.resume(*paused)
            wanted = self._wanted(full)
        taken = await self._take(wanted, records_max, has_room=full is not None and not full)
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
            and (
                place.topic != self._topic
                or (
                    full is not None
                    and place.partition not in self._scanning
                    and TopicPartition(*place) not in full
                )
            )
        ]

    async def _end_scans(self) -> None:
        """Forget the scans whose parked records have by now been read."""
        scanning = self._scanning  # While we wait, a rebalance may put others in their place.
        for partition, end in list(scanning.items()):
            place = KafkaPartition(self._parked_topic, partition)
            try:
                if await self._consumer.position(place) >= end:
                    del scanning[partition]
            except IllegalStateError:  # It is no longer ours; another scan will come.
                del scanning[partition]

    async def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        """Commit those of our partitions, each with a note; what fails comes the next time."""
        await self._commits.store(offsets)

    def has_moved(self, place: TopicPartition) -> Callable[[str], bool] | None:
        """Of one to which keys of others moved, which these are; None of any other."""
        found = self._divided.get(place)
        if found is None or found.note is None or found.note.partitions is None:
            return None
        return moved_to(place.partition, self._count, found.note.partitions)

    def division(self, place: TopicPartition, after: Ends) -> tuple[Ends, int | None]:
        """For the next owner: what a partition waits for, and by what number its keys are divided.

        Where keys moved, the former number says it all, until none of them waits any more.
        """
        found = self._divided.get(place)
        if after and found is not None and found.note is not None:
            return {}, found.note.partitions
        return after, self._count if place.topic == self._topic else None

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

    def answers(self) -> dict[TopicPartition, object]:
        """Of the topic's partitions that are ours: what changes with each answer of Kafka."""
        own = [place for place in self._consumer.assignment() if place.topic == self._topic]
        found = self._consumer.answers(own)
        return {TopicPartition(*place): at for place, at in found.items()}

    async def on_partitions_revoked(self, revoked: Collection[KafkaPartition]) -> None:
        self._settling, self._scanning = (), {}
        self._troubles.clear()
        await self._on_revoked([TopicPartition(p.topic, p.partition) for p in revoked])

    def on_partitions_assigned(self, assigned: Collection[KafkaPartition]) -> None:
        """Only noted here; `read` does the rest: aiokafka sends no heartbeat before we return."""
        # Nothing was read of them yet. `read` resumes them.
        self._consumer.pause(*assigned)
        self._settling = list(assigned)

    async def _try_to_settle_in(self, places: Collection[KafkaPartition]) -> None:
        try:
            await self._settle_in(places)
            self._troubles.settled_in()
        except Exception as error:  # noqa: BLE001  Whatever it is, a later try may find it gone.
            self._troubles.not_settled_in(error)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _settle_in(self, places: Collection[KafkaPartition]) -> None:
        await began(self._consumer, self._topic, self._parked_topic, self._begins)
        committed = await self.notes.read(places)
        count = len(self.numbers(self._topic))
        divided = await divided_anew(self._consumer, self._topic, committed, count)
        ends: Mapping[KafkaPartition, int] = await self._consumer.end_offsets(places)
        noted = await self._troubles.epochs.all_noted({**committed, **divided})
        if self._settling is not places:
            return  # There was another rebalance meanwhile.
        for here, one in noted.items():
            if one.offset >= 0:
                self._consumer.seek(KafkaPartition(*here), one.offset)
        self._count, self._divided = count, divided
        assigned = {here: one.within(ends[KafkaPartition(*here)]) for here, one in noted.items()}
        self._troubles.epochs.assigned(assigned)
        self._on_assigned(assigned)
        self._scanning = {
            place.partition: end for place, end in ends.items() if place.topic != self._topic
        }
        self._settling = ()
        numbers = sorted({place.partition for place in places})
        if alone := [n for n in numbers if KafkaPartition(self._parked_topic, n) not in places]:
            log.warning(
                "parked topic has too few partitions, holding records in memory", partitions=alone
            )
        log.info("partitions assigned", group=self._group_id, partitions=numbers)
