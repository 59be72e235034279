"""`ampgate destinations`: what Kafka has of each destination, configured or left behind.

Theory of operation: a destination has groups in Kafka (its offsets in each topic) and parked
records. A parked record cannot be taken out of its topic; it waits until the destination's group
has settled it. So records that are forgotten, or moved, are settled: the group keeps its offsets in
the parked topic, at the topic's end, and loses those of its own topic.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition as KafkaPartition
from aiokafka.structs import OffsetAndMetadata

from ampgate.archive.archive import Archive, Committed, Span
from ampgate.archive.batches import Wanted
from ampgate.destinations.groups import Group, Groups, group_of
from ampgate.errors import CommandError
from ampgate.trace.commits import whole_note
from ampgate.trace.whereabouts import Progress
from consumers.kafka.commit_notes import CommitNote
from schemas.configuration.config import Config
from schemas.letters import Origin
from schemas.records import Stored, TopicPartition
from schemas.topics import Kind, Topics


@dataclass(frozen=True, slots=True)
class Standing:
    """One destination in Kafka. `offsets`: whether any are committed in its own topics."""

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
    """How far one group is: in its own topic, and in the parked topic."""

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
        """Read commits first: then every record that they settle is among the parked ones read
        after. What was seen before is forgotten."""
        self.places, self.parked = {}, {}
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
                number: Progress(one.offset, await self._note(number, one))
                for number, one in parked.items()
            },
        )

    async def _note(self, partition: int, committed: Committed) -> CommitNote | None:
        place = TopicPartition(self._topics.parked, partition)
        return await whole_note(self._kafka, place, committed)

    async def _count(self, records: list[Stored]) -> None:
        for record in records:
            if left := addressed(self._topics, record):
                parked = self.parked.setdefault(left, Parked())
                parked.present += 1
                parked.waiting += self.place(*left).waits(record)


def addressed(topics: Topics, record: Stored) -> Left | None:
    """The destination and the kind of a parked record."""
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
                KafkaPartition(topics.parked, partition): OffsetAndMetadata(end, "")
                for partition, end in settled(kind).items()
            }
            await groups.commit(place.group, offsets)
        if place.own:
            await groups.forget_topic(place.group, topics.of(kind), sorted(place.own))


async def require_idle(survey: Survey, names: Sequence[str]) -> None:
    """Raises `CommandError` while a delivery of any of them runs."""
    for name in names:
        if members := await survey.members(name):
            raise CommandError(
                f"{name} is being delivered to by {members} consumers: stop its delivery first"
                " (one that was killed counts until Kafka misses it, for 10 seconds)"
            )
