"""Lanes: entries in line, in the order in which they were written.

A lane has at most one batch in flight, and a key is always in the same lane. So the records
of a key arrive in order without anybody looking at keys, until one of them has to wait: then it
and what comes after it of its key steps out of line, and the lane goes on.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from consumers.delivery.destination import Encoded
from consumers.delivery.offsets import Offsets
from consumers.delivery.outcomes import Id
from schemas.records import Record


@dataclass(slots=True, eq=False)
class Entry:
    record: Record
    offsets: Offsets  # Where it settles.
    encoded: Encoded
    attempts: int = 0
    first_failed_at: float | None = None
    failed_after: int = -1  # How many batches had been delivered when it last failed alone.
    lone_failures: int = 0  # How often it failed alone while others got through.

    @property
    def ids(self) -> list[Id]:
        encoded = self.encoded
        ids = [Id("key", encoded.key)]
        if encoded.user_id is not None:
            ids.append(Id("user", encoded.user_id))
        if encoded.device_id is not None:
            ids.append(Id("device", encoded.device_id))
        return ids


@dataclass(slots=True, eq=False)
class Lane:
    offsets: Offsets
    queue: deque[Entry] = field(default_factory=deque)
    # Sizes of the groups at the head of the queue that go out alone: a culprit is sought in them.
    groups: deque[int] = field(default_factory=deque)
    waiting: dict[str, deque[Entry]] = field(default_factory=dict)
    due_at: float = 0.0
    failures: int = 0  # In a row.
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

    def wait_first(self, entries: list[Entry]) -> None:
        """They came back from a flight: of their keys, they are older than all that waits."""
        for entry in reversed(entries):
            self.waiting.setdefault(entry.encoded.key, deque()).appendleft(entry)

    def release(self, clocks: Mapping[Id, float]) -> None:
        """Put every key in line again whose first entry need not wait.

        The whole of it: what must wait after all steps out again in order when it is drawn.
        """
        for key, entries in list(self.waiting.items()):
            if not any(identity in clocks for identity in entries[0].ids):
                del self.waiting[key]
                self.put_back(list(entries))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Entries that fly together, lane by lane."""

    parts: tuple[tuple[Lane, tuple[Entry, ...]], ...]
    encoded: tuple[Encoded, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DeadLetter:
    record: Record
    offsets: Offsets
    reason: str
    detail: str
    status: int | None
    attempts: int
    first_failed_at: float
