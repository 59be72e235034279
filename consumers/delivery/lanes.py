"""Lanes: entries in line, in the order in which they were written.

A lane has at most one batch in flight, and a key is always in the same lane. So the records
of a key arrive in order without a look at keys, until one of them has to wait: then it and what
comes after it of its key steps out of line, and the lane goes on.

What a lane does with the entries of a batch that must go again, after its reply:

| method      | after                        | failures | rounds | sent next                      |
|-------------|------------------------------|----------|--------|--------------------------------|
| `delivered` | all were delivered           | 0        | 0      | what is in line                |
| `answered`  | an answer about single ones  | 0        |        | what is in line                |
| `resend`    | some named, the others again | 0        | + 1    | what is in line; in the end    |
|             |                              |          |        | halves, each alone             |
| `split`     | refused, one of them is bad  | + 1      |        | halves, each alone             |
| `paused`    | the destination is paused    | + 1      |        | the same, alone                |
| `retry`     | a failure that may pass      | + 1      |        | after backoff the same, alone; |
|             |                              |          |        | each third time halves         |
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from consumers.delivery.destination import Encoded
from consumers.delivery.offsets import Offsets
from consumers.delivery.outcomes import Id
from consumers.delivery.parking import ParkedPartition
from consumers.delivery.policy import Policy
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
    """Its fields are written here only; the others read them, and draw entries from `queue`."""

    place: TopicPartition
    offsets: Offsets
    policy: Policy
    is_parked: bool = False  # What it carries came from the topic of the parked.
    queue: deque[Entry] = field(default_factory=deque)
    # Sizes of the groups at the head of the queue that go out alone, to find the bad record.
    groups: deque[int] = field(default_factory=deque)
    waiting: dict[str, deque[Entry]] = field(default_factory=dict)
    waits_are_new: bool = False  # Their length was not looked at yet.
    due_at: float = 0.0
    failures: int = 0  # In a row.
    sought: int = 0  # At most so many are sent at once, until something is delivered.
    rounds: int = 0  # In a row that ended with part of a batch going again.
    idle: bool = True  # No batch of it is in flight.

    # Entries come in and go out.

    def append(self, entries: Sequence[Entry], due_at: float) -> None:
        if not self.queue:
            self.due_at = max(self.due_at, due_at)
        self.queue.extend(entries)

    def begin_group(self) -> int:
        """How many from the head of the queue may be drawn together."""
        return self.groups.popleft() if self.groups else len(self.queue)

    def end_group(self, left: int) -> None:
        """So many of it were not drawn: they stay a group of their own."""
        if left and (self.groups or left < len(self.queue)):
            self.groups.appendleft(left)

    def sent(self) -> None:
        self.idle = False

    # A reply came.

    def replied(self, now: float) -> None:
        self.idle = True
        self.due_at = now

    def delivered(self) -> None:
        self.failures = self.rounds = self.sought = 0

    def answered(self, entries: list[Entry]) -> None:
        self.failures = 0
        self._put_back(entries)

    def resend(self, entries: list[Entry]) -> None:
        """Some answers name one bad record at a time: after some of these, halving is quicker."""
        self.failures = 0
        self.rounds += 1
        is_enough = self.rounds >= self.policy.rounds_to_halve
        self._put_back(entries, halved=is_enough and len(entries) > 1)

    def split(self, entries: list[Entry]) -> None:
        self.failures += 1
        self._put_back(entries, halved=True)

    def paused(self, entries: list[Entry]) -> None:
        self.failures += 1
        self._put_back(entries)
        self._isolate(len(entries))

    def retry(self, entries: list[Entry], now: float, backoff: Callable[[int], float]) -> None:
        self.failures += 1
        self.due_at = now + backoff(self.failures)
        is_third = self.failures % self.policy.failures_to_halve == 0
        self._put_back(entries, halved=is_third and len(entries) > 1)
        self._isolate(len(entries))

    def seek(self, entries: int) -> None:
        """The bad one of so many is looked for, though some of them have to wait meanwhile."""
        self.sought = (entries + 1) // 2

    def _put_back(self, entries: list[Entry], *, halved: bool = False) -> None:
        """What must go again goes first."""
        self.queue.extendleft(reversed(entries))
        if halved:
            half = (len(entries) + 1) // 2
            self.groups.extendleft(size for size in (len(entries) - half, half) if size)
        elif entries and self.groups:
            self.groups.appendleft(len(entries))

    def _isolate(self, size: int) -> None:
        """What failed together is tried together: others would fail with it."""
        if not self.groups and 0 < size < len(self.queue):
            self.groups.append(size)

    # Some have to wait.

    def wait(self, entry: Entry) -> None:
        self.waiting.setdefault(entry.encoded.key, deque()).append(entry)
        self.waits_are_new = True

    def wait_first(self, entries: list[Entry]) -> None:
        """They were in flight: of their keys, they are older than all that waits."""
        for entry in reversed(entries):
            self.waiting.setdefault(entry.encoded.key, deque()).appendleft(entry)
        self.waits_are_new = self.waits_are_new or bool(entries)

    def waits_seen(self) -> None:
        self.waits_are_new = False

    def wait_no_more(self, key: str) -> None:
        """The entries of this key wait elsewhere from here on."""
        del self.waiting[key]

    def release(self, is_held: Callable[[Entry], bool]) -> None:
        """Put every key in line again whose first entry need not wait.

        The whole of it: what must wait after all steps out again in order when it is drawn.
        """
        for key, entries in list(self.waiting.items()):
            if not is_held(entries[0]):
                del self.waiting[key]
                self._put_back(list(entries))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Entries that are sent together, lane by lane."""

    parts: tuple[tuple[Lane, tuple[Entry, ...]], ...]
    encoded: tuple[Encoded, ...]
    size: int  # Bytes of all bodies.
    records: int  # How many of Kafka's it carries: merged ones count each.
    sent_at: float


def batch_of(parts: Sequence[tuple[Lane, tuple[Entry, ...]]], now: float) -> Batch:
    """These are sent now, which is one more attempt of each."""
    entries = [entry for _, part in parts for entry in part]
    encoded = tuple([entry.encoded for entry in entries])
    records = len(entries)
    for entry in entries:
        entry.attempts += 1
        for part in entry.parts:
            part.attempts += 1
        if entry.parts:
            records += len(entry.parts) - 1
    size = sum([len(one.body) for one in encoded])
    return Batch(tuple(parts), encoded, size=size, records=records, sent_at=now)


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """A record that leaves for another topic: dead, or parked until `not_before`."""

    entry: Entry
    reason: str
    detail: str
    first_failed_at: float
    not_before: float | None = None
    parked_at: float | None = None
