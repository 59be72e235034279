"""`ampgate destinations`: what Kafka has of each destination, configured or left behind.

Theory of operation: a destination leaves behind its groups (how far it is in each topic) and the
parked records that name it. A parked record cannot be taken out of its topic; it waits until the
destination's group has settled it. So one that is forgotten, or moved, is settled: the group keeps
its offsets in the parked topic, at the topic's end, and loses those of its own topic.

A rename is one transaction of Kafka's for each topic: the offsets under the new name, and the
parked records once more with the new name. It leaves a word beside the new offsets; then the old
name is forgotten. Run again after an interruption, it goes on with what has not been done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from ampgate.archive import Archive, Span
from ampgate.batches import Stored, Wanted
from ampgate.configuration import client_arguments
from ampgate.groups import Group, Groups, group_of
from ampgate.parking import Outgoing
from ampgate.topics import MAX_MESSAGE_BYTES, TopicsError
from ampgate.whereabouts import Progress
from ampgate.writer import Writer
from consumers.commit_notes import decoded
from schemas.config import Config, Kafka
from schemas.letters import Origin
from schemas.topics import Kind, Topics

TRANSACTION_SECONDS = 600  # A broker allows 900 (`transaction.max.timeout.ms`).


@dataclass(frozen=True, slots=True)
class Standing:
    """One destination as Kafka has it. `offsets`: whether any are committed in its own topics."""

    destination: str
    configured: bool
    members: int
    offsets: bool
    unread: int
    parked: int

    @property
    def is_left_behind(self) -> bool:
        return not self.configured and (self.offsets or self.parked > 0)


@dataclass(frozen=True, slots=True)
class Place:
    """How far one group is: in its own topic, and in the topic of the parked."""

    group: Group
    own: Mapping[int, OffsetAndMetadata]
    parked: Mapping[int, OffsetAndMetadata]
    parked_progress: Mapping[int, Progress]

    def waits(self, record: Stored) -> bool:
        """Whether this parked record is still to be delivered."""
        progress = self.parked_progress.get(record.partition)
        return progress is None or not progress.is_settled(record.offset)


@dataclass(slots=True)
class Parked:
    """Of one destination and kind: how many parked records there are, and wait."""

    present: int = 0
    waiting: int = 0


Left = tuple[str, Kind]


class Survey:
    """All destinations that Kafka knows of, at one moment."""

    def __init__(self, config: Config, kafka: Archive, groups: Groups) -> None:
        self._config = config
        self._topics = config.kafka.topics
        self._kafka = kafka
        self._groups = groups
        self.places: dict[Left, Place] = {}
        self.parked: dict[Left, Parked] = {}
        self.parked_spans: Sequence[Span] = ()

    async def look(self) -> None:
        """Commits first: what is settled by them is certainly among the parked."""
        for group in await self._groups.all():
            self.places[group.destination, group.kind] = await self._place(group)
        self.parked_spans = await self._kafka.spans(self._topics.parked)
        await self._kafka.search(self.parked_spans, Wanted(), self._count)

    @property
    def parked_ends(self) -> Mapping[int, int]:
        return {span.partition: span.end for span in self.parked_spans}

    def place(self, destination: str, kind: Kind) -> Place:
        group = group_of(self._topics, destination, kind)
        return self.places.get((destination, kind), Place(group, {}, {}, {}))

    def parked_of(self, destination: str, kind: Kind) -> Parked:
        return self.parked.get((destination, kind), Parked())

    async def members(self, destination: str) -> int:
        kinds = [kind for kind in Kind if (destination, kind) in self.places]
        found = [await self._groups.members(self.place(destination, kind).group) for kind in kinds]
        return sum(found)

    async def standings(self) -> list[Standing]:
        """The configured ones first, each by name."""
        configured = {one.name for one in self._config.destinations}
        names = configured | {name for name, _ in [*self.places, *self.parked]}
        found = [await self.standing(name, configured=name in configured) for name in names]
        wanted = [one for one in found if one.configured or one.is_left_behind]
        return sorted(wanted, key=lambda one: (not one.configured, one.destination))

    async def standing(self, name: str, *, configured: bool) -> Standing:
        places = [self.place(name, kind) for kind in Kind]
        return Standing(
            name,
            configured,
            await self.members(name),
            any(place.own for place in places),
            sum([await self._unread(place) for place in places]),
            sum(self.parked_of(name, kind).waiting for kind in Kind),
        )

    async def _unread(self, place: Place) -> int:
        topic = self._topics.of(place.group.kind)
        spans = await self._kafka.spans(topic, partitions=sorted(place.own))
        return sum(
            max(0, span.end - max(span.start, place.own[span.partition].offset)) for span in spans
        )

    async def _place(self, group: Group) -> Place:
        own = await self._kafka.committed(group.id, self._topics.of(group.kind))
        parked = await self._kafka.committed(group.id, self._topics.parked)
        return Place(
            group,
            {number: OffsetAndMetadata(one.offset, one.metadata) for number, one in own.items()},
            {number: OffsetAndMetadata(one.offset, one.metadata) for number, one in parked.items()},
            {
                number: await self._progress(number, one.offset, one.metadata)
                for number, one in parked.items()
            },
        )

    async def _progress(self, partition: int, offset: int, metadata: str) -> Progress:
        """With the whole note, where it was too long for the commit."""
        note = decoded(metadata, offset)
        if note is not None and note.kept is not None:
            span = Span(self._topics.parked, partition, note.kept, note.kept + 1)
            for record in await self._kafka.find([span], Wanted()):
                text = (record.value or b"").decode(errors="replace")
                note = decoded(text, offset) or note
        return Progress(offset, note)

    async def _count(self, records: list[Stored]) -> None:
        for record in records:
            if left := addressed(self._topics, record):
                parked = self.parked.setdefault(left, Parked())
                parked.present += 1
                parked.waiting += self.place(*left).waits(record)


def addressed(topics: Topics, record: Stored) -> Left | None:
    """For whom a parked record waits, and of which kind it is."""
    origin, destination = Origin.parse(record.header("origin") or ""), record.header("destination")
    kinds = {topics.of(kind): kind for kind in Kind}
    topic = record.topic if origin is None else origin.place.topic
    return (destination, kinds[topic]) if destination and topic in kinds else None


async def drop(
    topics: Topics,
    survey: Survey,
    groups: Groups,
    name: str,
    settled: Callable[[Kind], Mapping[int, int]],
) -> None:
    """Its groups go; where parked records name it, those before `settled` are kept settled."""
    for kind in Kind:
        place = survey.place(name, kind)
        parked = survey.parked_of(name, kind)
        if not parked.present:
            await groups.drop(place.group)
            continue
        if parked.waiting:
            offsets = {
                TopicPartition(topics.parked, partition): OffsetAndMetadata(end, "")
                for partition, end in settled(kind).items()
            }
            await groups.commit(place.group, offsets)
        if place.own:
            await groups.forget_topic(place.group, topics.of(kind), sorted(place.own))


class NameTakenError(Exception):
    """The new name has a past of its own."""


class Rename:
    """From `old` to `new`, as far as it has not been done."""

    def __init__(self, config: Config, survey: Survey, old: str, new: str) -> None:
        self._topics = config.kafka.topics
        self._survey = survey
        self._old = old
        self._new = new
        self._moved = f"renamed from {old}"  # Beside the offsets among the parked.
        self.kinds = [kind for kind in Kind if self._is_to_be_moved(kind)]

    @property
    def parked(self) -> int:
        """How many parked records get the new name."""
        return sum(self._survey.parked_of(self._old, kind).waiting for kind in self.kinds)

    def _is_to_be_moved(self, kind: Kind) -> bool:
        before, after = self._survey.place(self._old, kind), self._survey.place(self._new, kind)
        if not before.own and not self._survey.parked_of(self._old, kind).waiting:
            return False
        if self._moved in {offset.metadata for offset in after.parked.values()}:
            return False  # A former run has come so far.
        if after.own or self._survey.parked_of(self._new, kind).waiting:
            raise NameTakenError(
                f"{self._new} has a past of its own in {after.group.id}: it can take over that of"
                " another only if it has none; ampgate destinations forget drops it"
            )
        return True

    def settled(self, kind: Kind) -> Mapping[int, int]:
        """Up to where the old name's parked records have been moved, by partition."""
        if kind in self.kinds:
            return self._survey.parked_ends
        return {
            partition: offset.offset
            for partition, offset in self._survey.place(self._new, kind).parked.items()
        }

    async def move(
        self, kafka: Archive, producer: AIOKafkaProducer, on_moved: Callable[[int], None]
    ) -> None:
        for kind in self.kinds:
            async with producer.transaction():
                await self.move_kind(kind, kafka, producer, on_moved)

    async def move_kind(
        self,
        kind: Kind,
        kafka: Archive,
        producer: AIOKafkaProducer,
        on_moved: Callable[[int], None],
    ) -> None:
        """Within the producer's transaction; aiokafka lets one group take part in each."""
        before, after = self._survey.place(self._old, kind), self._survey.place(self._new, kind)
        topic, parked = self._topics.of(kind), self._topics.parked
        offsets = {TopicPartition(topic, number): own for number, own in before.own.items()}
        for number, end in self._survey.parked_ends.items():
            offsets[TopicPartition(parked, number)] = OffsetAndMetadata(end, self._moved)
        await producer.send_offsets_to_transaction(offsets, after.group.id)
        writer = Writer(producer, None, on_moved)

        async def copy(records: list[Stored]) -> None:
            await writer.write(
                [
                    self._readdressed(one)
                    for one in records
                    if addressed(self._topics, one) == (self._old, kind) and before.waits(one)
                ]
            )

        if self._survey.parked_of(self._old, kind).waiting:
            wanted = Wanted([self._old.encode()])
            await kafka.search(self._survey.parked_spans, wanted, copy)

    def _readdressed(self, record: Stored) -> Outgoing:
        kept = [(name, value) for name, value in record.headers if name != "destination"]
        headers = [*kept, ("destination", self._new.encode())]
        return Outgoing(record.topic, record.partition, record.key, record.value, headers)


def moving_producer(kafka: Kafka, old: str) -> AIOKafkaProducer:
    """For a rename. As it starts, it ends the transaction of a run that was interrupted."""
    return AIOKafkaProducer(
        **client_arguments(kafka),
        transactional_id=f"{kafka.topic_prefix}rename.{old}",
        transaction_timeout_ms=TRANSACTION_SECONDS * 1000,
        compression_type=None if kafka.compression == "none" else kafka.compression,
        max_request_size=MAX_MESSAGE_BYTES,
    )


async def require_idle(survey: Survey, names: Sequence[str]) -> None:
    """`TopicsError` while any of them is being delivered to."""
    for name in names:
        if members := await survey.members(name):
            raise TopicsError(
                f"{name} is being delivered to by {members} consumers: stop its delivery first"
            )
