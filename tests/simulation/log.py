"""Kafka as the engine sees it: partitions with gaps, what is committed, what retention took."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from consumers.delivery.offsets import Unfinished
from consumers.kafka.commit_notes import CommitNote
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
    name: str | None  # Name of the original record; `None`: of another destination.
    timestamp: int = 0
    headers: Headers = ()


@dataclass
class Partition:
    records: list[Kept] = field(default_factory=list)
    end: int = 0
    begin: int = 0  # Retention has deleted what was before.
    committed: int = 0
    note: CommitNote | None = None  # Beside the commit.
    epochs: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])  # And their begins.
    cut_to: int | None = None  # The lowest offset at which it ever lost its end.

    def append(self, record: Kept) -> None:
        assert record.offset >= self.end
        self.records.append(record)
        self.end = record.offset + 1

    def since(self, offset: int, count: int) -> Sequence[Kept]:
        first = self._index(max(offset, self.begin))
        return self.records[first : first + count]

    def between(self, first: int, before: int) -> Sequence[Kept]:
        return self.records[self._index(first) : self._index(before)]

    @property
    def left(self) -> Unfinished | None:
        return None if self.note is None else self.note.left

    def cut(self, at: int) -> Sequence[Kept]:
        """An unclean election: what is from this offset on is gone; returns that."""
        gone = self.between(at, self.end)
        del self.records[self._index(at) :]
        self.end = at
        self.cut_to = at if self.cut_to is None else min(at, self.cut_to)
        newest, _ = self.epochs[-1]
        self.epochs = [one for one in self.epochs if one[1] < at] + [(newest + 1, at)]
        return gone

    def epoch_at(self, offset: int) -> int:
        """Of the leader that wrote what is there."""
        return max(epoch for epoch, begin in self.epochs if begin <= offset)

    def has_all_of(self, epoch: int, read_to: int) -> bool:
        """Whether it has what was read of it up to there, of this epoch at last."""
        end = self.end_of_epoch(epoch)
        return end is not None and end >= read_to

    def end_of_epoch(self, epoch: int) -> int | None:
        """As Kafka's leaders say; None of an epoch later than they know."""
        later = [begin for known, begin in self.epochs if known > epoch]
        return later[0] if later else self.end if self.epochs[-1][0] == epoch else None

    def unsettled(self) -> Iterable[Kept]:
        """What a new owner of the partition has to read."""
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
        # Of the originals, by partition, offset and timestamp: a cut log gives offsets anew.
        self.names: dict[tuple[int, int, int], str] = {}
        self.originals: dict[str, Kept] = {}  # By their names, cut off or not.
        self.parked_names: set[str] = set()  # Of all that ever was in the parked topic.

    def grow(self) -> list[int]:
        """Twice as many partitions: a key stays, or moves to an added one; returns these."""
        after = {place.partition: log.end for place, log in self.of(TOPIC)}
        added = list(range(self.partitions, 2 * self.partitions))
        for number in added:
            self.places[TopicPartition(PARKED, number)] = Partition()
            note = CommitNote(Unfinished(0, ()), None, {}, after=after)
            self.places[TopicPartition(TOPIC, number)] = Partition(note=note)
        self.partitions *= 2
        return added

    def __getitem__(self, place: TopicPartition) -> Partition:
        return self.places[place]

    def of(self, topic: str) -> Iterable[tuple[TopicPartition, Partition]]:
        return ((place, log) for place, log in self.places.items() if place.topic == topic)

    def write(self, name: str, original: Kept) -> None:
        """Append one that the world knows by this name."""
        self.originals[name] = original
        self.names[original.partition, original.offset, original.timestamp] = name
        self.places[TopicPartition(original.topic, original.partition)].append(original)

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
