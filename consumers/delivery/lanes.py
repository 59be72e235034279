"""Lanes: entries in line, in the order in which they were written.

A lane has at most one batch in flight, and a key is always in the same lane. So the records
of a key arrive in order without anybody looking at keys, until one of them has to wait: then it
and what comes after it of its key steps out of line, and the lane goes on.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import Struct

from consumers.delivery.destination import Encoded
from consumers.delivery.offsets import Offsets
from consumers.delivery.outcomes import Id
from consumers.delivery.parking import ParkedPartition
from schemas.records import Record, TopicPartition


class Entry(Struct, eq=False, gc=False):
    record: Record
    offsets: Offsets  # Where it settles,
    offset: int  # and as what.
    encoded: Encoded
    attempts: int = 0
    first_failed_at: float | None = None
    status: int | None = None  # Of the last answer.
    # How many batches had been delivered when it last failed alone; below 0, it never did.
    failed_after: int = -1
    lone_failures: int = 0  # How often it failed alone while others got through.
    parked: ParkedPartition | None = None  # Where it came from, if from there.
    merges: bool = True  # Until it was refused as a part of something merged.
    parts: tuple["Entry", ...] = ()  # What it was merged of.

    @property
    def ids(self) -> list[Id]:
        return [Id("key", self.encoded.key), *sendable_ids(self.encoded)]


def sendable_ids(encoded: Encoded) -> list[Id]:
    """The user and the device that a destination counts it for."""
    ids = []
    if encoded.user_id is not None:
        ids.append(Id("user", encoded.user_id))
    if encoded.device_id is not None:
        ids.append(Id("device", encoded.device_id))
    return ids


@dataclass(slots=True, eq=False)
class Lane:
    place: TopicPartition
    offsets: Offsets
    is_parked: bool = False  # What it carries came from the topic of the parked.
    queue: deque[Entry] = field(default_factory=deque)
    # Sizes of the groups at the head of the queue that go out alone: a culprit is sought in them.
    groups: deque[int] = field(default_factory=deque)
    waiting: dict[str, deque[Entry]] = field(default_factory=dict)
    waits_are_new: bool = False  # Nobody has looked yet how long they will be.
    due_at: float = 0.0
    failures: int = 0  # In a row.
    sought: int = 0  # A culprit is sought among so many at once, until something is delivered.
    rounds: int = 0  # In a row that ended with part of a batch going again.
    idle: bool = True  # No batch of it is in flight.

    def put_back(self, entries: list[Entry]) -> None:
        """What must go again goes first."""
        self.queue.extendleft(reversed(entries))
        if self.groups and entries:
            self.groups.appendleft(len(entries))

    def put_back_halved(self, entries: list[Entry]) -> None:
        half = (len(entries) + 1) // 2
        self.queue.extendleft(reversed(entries))
        self.groups.extendleft(size for size in (len(entries) - half, half) if size)

    def wait(self, entry: Entry) -> None:
        self.waiting.setdefault(entry.encoded.key, deque()).append(entry)
        self.waits_are_new = True

    def wait_first(self, entries: list[Entry]) -> None:
        """They came back from a flight: of their keys, they are older than all that waits."""
        for entry in reversed(entries):
            self.waiting.setdefault(entry.encoded.key, deque()).appendleft(entry)
        self.waits_are_new = self.waits_are_new or bool(entries)

    def release(self, is_held: Callable[[Entry], bool]) -> None:
        """Put every key in line again whose first entry need not wait.

        The whole of it: what must wait after all steps out again in order when it is drawn.
        """
        for key, entries in list(self.waiting.items()):
            if not is_held(entries[0]):
                del self.waiting[key]
                self.put_back(list(entries))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Entries that fly together, lane by lane."""

    parts: tuple[tuple[Lane, tuple[Entry, ...]], ...]
    encoded: tuple[Encoded, ...]
    size: int  # Bytes of all bodies.
    records: int  # How many of Kafka's it carries: merged ones count each.
    sent_at: float


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """A record that leaves for another topic: dead, or parked until `not_before`."""

    entry: Entry
    reason: str
    detail: str
    first_failed_at: float
    not_before: float | None = None
    parked_at: float | None = None
