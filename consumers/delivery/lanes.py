"""Lanes: queues of entries, in the order in which they were written.

A lane has at most one batch in flight, and a key is always in the same lane. So the records of a
key are delivered in order without comparing keys, until one of them is held: then it and the later
records of its key leave the queue, and the lane goes on with the others.

What a lane does with the entries of a batch that must be sent again:

| method      | after                        | failures | rounds | sent next                      |
|-------------|------------------------------|----------|--------|--------------------------------|
| `delivered` | all were delivered           | 0        | 0      | the head of the queue          |
| `answered`  | an answer about single ones  | 0        |        | the head of the queue          |
| `resend`    | some named, the others again | 0        | + 1    | the head of the queue; then    |
|             |                              |          |        | halves, each alone             |
| `split`     | refused, one of them is bad  | + 1      |        | halves, each alone             |
| `paused`    | the destination is paused    | + 1      |        | the same, alone                |
| `retry`     | a failure that may pass      | + 1      |        | after backoff the same, alone; |
|             |                              |          |        | each third time halves         |
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from sys import maxsize

from consumers.delivery.entry import Entry, bytes_of
from consumers.delivery.new_waits import NewWaits
from consumers.delivery.offsets import Offsets
from consumers.delivery.policy import Policy
from consumers.delivery.run import Run
from schemas.records import TopicPartition

SEEKS_MAX = 20  # To find one of a thousand takes ten.
JOINED_MAX = 500  # Records: to join them, they are copied.


@dataclass(slots=True, eq=False)
class Lane:
    """Only this class writes its fields; others read them, and draw entries from `queue`."""

    place: TopicPartition
    offsets: Offsets
    policy: Policy
    is_parked: bool = False  # Its records were read from the parked topic.
    queue: deque[Entry] = field(default_factory=deque)
    runs: deque[Run] = field(default_factory=deque)  # Behind the queue, not yet entries.
    # Sizes of the groups at the head of the queue that are sent alone, to find a bad record.
    groups: deque[int] = field(default_factory=deque)
    waiting: dict[str, deque[Entry]] = field(default_factory=dict)  # Held ones, by key.
    waiting_records: int = 0
    waiting_bytes: int = 0  # Of these records, in memory.
    may_be_parked: NewWaits = field(default_factory=NewWaits)  # By long holds that were set.
    may_be_free: NewWaits = field(default_factory=NewWaits)  # By holds that ended.
    due_at: float = 0.0
    failures: int = 0  # In a row.
    sought: int = 0  # While a bad record is searched: at most so many are sent at once.
    rounds: int = 0  # Replies in a row after which a part of the batch was sent again.
    idle: bool = True  # No batch of it is in flight.

    @property
    def has_records(self) -> bool:
        """Whether there is something to draw."""
        return bool(self.queue or self.runs)

    @property
    def records(self) -> int:
        """How many entries there are to draw, those that are still runs among them."""
        return len(self.queue) + sum(map(len, self.runs))

    # Entries come in and go out.

    def append(self, entries: Sequence[Entry], due_at: float) -> None:
        self._note_due(due_at)
        self.open(maxsize)
        self.queue.extend(entries)

    def append_run(self, run: Run, due_at: float) -> None:
        """A short one joins the one before it: alone, it takes more memory than it counts with."""
        self._note_due(due_at)
        if self.runs and len(self.runs[-1]) + len(run) <= JOINED_MAX:
            run = self.runs.pop().followed_by(run)
        self.runs.append(run)

    def _note_due(self, due_at: float) -> None:
        if not self.has_records:
            self.due_at = max(self.due_at, due_at)

    def open(self, records: int) -> None:
        """Make entries of runs, until the queue has so many."""
        while self.runs and len(self.queue) < records:
            self.queue.extend(self.take_run(records - len(self.queue)))

    def take_run(self, records_max: int) -> Run:
        """What is at the head of the runs, up to so many records."""
        run = self.runs.popleft()
        if records_max < len(run):
            self.runs.appendleft(run.part(records_max, len(run)))
        return run.part(0, records_max)

    def put_run_back(self, run: Run) -> None:
        self.runs.appendleft(run)

    def begin_group(self, records_max: int) -> int:
        """How many from the head of the queue may be drawn together."""
        if self.groups:
            self.open(maxsize)  # What follows a group must not be taken for its rest.
            return self.groups.popleft()
        self.open(records_max)
        return len(self.queue)

    def end_group(self, left: int) -> None:
        """The last `left` entries of the group were not drawn: they stay a group of their own."""
        if left and (self.groups or left < len(self.queue)):
            self.groups.appendleft(left)

    def sent(self) -> None:
        self.idle = False

    def take_plain(self) -> Entry | None:
        """Its first entry, which is sent alone, if it may be drawn as if there were no others."""
        if self.waiting or self.groups or self.sought or self.queue[0].failed_after >= 0:
            return None
        self.idle = False
        return self.queue.popleft()

    # A reply came.

    def replied(self, now: float) -> None:
        self.idle = True
        self.due_at = now

    def delivered(self, now: float) -> None:
        self.idle, self.due_at = True, now
        self.failures = self.rounds = self.sought = 0

    def answered(self, entries: list[Entry]) -> None:
        self.failures = 0
        self._put_back(entries)

    def resend(self, entries: list[Entry]) -> None:
        """After some answers that name one bad record each, halve: that is quicker."""
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
        """Search for the bad one of so many, even if some of them are held meanwhile.

        If nothing is delivered for long, it is not one of them.
        """
        self.rounds = (self.rounds + 1) % SEEKS_MAX
        self.sought = (entries + 1) // 2 if self.rounds else 0

    def _put_back(self, entries: list[Entry], *, halved: bool = False) -> None:
        """Put entries that must be sent again at the head."""
        self.queue.extendleft(reversed(entries))
        if halved:
            half = (len(entries) + 1) // 2
            self.groups.extendleft(size for size in (len(entries) - half, half) if size)
        elif entries and self.groups:
            self.groups.appendleft(len(entries))

    def _isolate(self, size: int) -> None:
        """Send again what failed together, and nothing else: others would fail with it."""
        if not self.groups and 0 < size < self.records:
            self.groups.append(size)

    # Some are held.

    def wait(self, entry: Entry) -> None:
        self._waits_of(entry).append(entry)

    def wait_first(self, entries: list[Entry]) -> None:
        """Hold entries that were in flight: they are older than the held ones of their keys.

        None of these keys was held when they were drawn: so all are among the new ones.
        """
        for entry in reversed(entries):
            self._waits_of(entry).appendleft(entry)

    def _waits_of(self, entry: Entry) -> deque[Entry]:
        """Those of its key, with which it is counted from now on."""
        self.waiting_records += 1
        self.waiting_bytes += entry.size
        key = entry.encoded.key
        known = self.waiting.get(key)
        if known is None:
            known = self.waiting[key] = deque()
            self.may_be_parked.keys[key] = self.may_be_free.keys[key] = None
        return known

    def wait_no_more(self, key: str) -> None:
        """Take out the held entries of this key, for another place."""
        entries = self.waiting.pop(key)
        self.may_be_parked.keys.pop(key, None)
        self.may_be_free.keys.pop(key, None)
        self.waiting_records -= len(entries)
        self.waiting_bytes -= bytes_of(entries)

    def release(self, keys: Iterable[str], is_held: Callable[[Entry], bool]) -> None:
        """Requeue those of these keys whose first entry is not held any more.

        All entries of the key: any that must wait are held again, in order, when drawn.
        """
        waiting = self.waiting
        for key in [key for key in keys if not is_held(waiting[key][0])]:
            entries = waiting[key]
            self.wait_no_more(key)
            self._put_back(list(entries))


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """A record to write to another topic: dead, or parked until `not_before`."""

    entry: Entry
    reason: str
    detail: str
    first_failed_at: float
    not_before: float | None = None
    parked_at: float | None = None
