"""Kafka as the engine sees it: partitions with gaps, what is committed, what retention took."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from consumers.delivery.clocks import Held
from consumers.delivery.moved import Ends
from consumers.delivery.offsets import Unfinished
from schemas.records import Headers, TopicPartition

TOPIC, PARKED = "records", "parked"


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as the log keeps it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    name: str | None  # Of the original; `None` is somebody else's.
    timestamp: int = 0
    headers: Headers = ()


@dataclass
class Partition:
    records: list[Kept] = field(default_factory=list)
    end: int = 0
    begin: int = 0  # Retention has deleted what was before.
    committed: int = 0
    left: Unfinished | None = None  # What was noted beside the commit,
    held: Mapping[int, Held] = field(default_factory=dict)  # as was this,
    held_at: float | None = None  # by the clock of the process that did it.
    after: Ends = field(default_factory=dict)  # Of an added one: what of others comes first.

    def append(self, record: Kept) -> None:
        assert record.offset >= self.end
        self.records.append(record)
        self.end = record.offset + 1

    def since(self, offset: int, count: int) -> Sequence[Kept]:
        first = self._index(max(offset, self.begin))
        return self.records[first : first + count]

    def between(self, first: int, before: int) -> Sequence[Kept]:
        return self.records[self._index(first) : self._index(before)]

    def unsettled(self) -> Iterable[Kept]:
        """What a new owner has to take care of."""
        for record in self.between(self.committed, self.end):
            if self.left is None or not self.left.has_settled(record.offset):
                yield record

    @property
    def is_drained(self) -> bool:
        last = self.records[-1].offset if self.records else -1
        return self.committed > last or self.begin > last

    def _index(self, offset: int) -> int:
        return bisect_left(self.records, offset, key=lambda record: record.offset)


class Log:
    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.places = {
            TopicPartition(topic, number): Partition()
            for topic in (PARKED, TOPIC)
            for number in range(partitions)
        }
        self.parked_names: set[str] = set()  # Of all that ever was in the parked topic.

    def grow(self) -> list[int]:
        """Twice as many partitions: a key stays, or moves to an added one; returns these."""
        after = {place.partition: log.end for place, log in self.of(TOPIC)}
        added = list(range(self.partitions, 2 * self.partitions))
        for number in added:
            self.places[TopicPartition(PARKED, number)] = Partition()
            self.places[TopicPartition(TOPIC, number)] = Partition(after=after)
        self.partitions *= 2
        return added

    def __getitem__(self, place: TopicPartition) -> Partition:
        return self.places[place]

    def of(self, topic: str) -> Iterable[tuple[TopicPartition, Partition]]:
        return ((place, log) for place, log in self.places.items() if place.topic == topic)

    def partition_of(self, key: str) -> int:
        return crc32(key.encode()) % self.partitions

    def park(
        self,
        number: int,
        key: bytes | None,
        value: bytes | None,
        name: str | None,
        headers: Headers,
        now: float,
    ) -> None:
        place = TopicPartition(PARKED, number)
        log = self.places[place]
        timestamp = int(now * 1000)
        log.append(Kept(*place, log.end, key, value, name, timestamp, headers))
        if name is not None:
            self.parked_names.add(name)
