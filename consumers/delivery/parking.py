"""Parked records: keys whose records wait in Kafka, not in memory.

`ampgate.parked` is co-partitioned with the topics that it serves. The owner of a partition reads
the parked partition of the same number to its end first; so it knows which keys are parked, and
parks later records of these keys, too. Of the parked records it keeps the offsets, and reads the
records again when they are due.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from consumers.delivery.clocks import until_here
from schemas.letters import LetterHeaders, without_letter
from schemas.records import Record, Stored


class Original(NamedTuple):
    """A record in the topic's partition of the same number, identified by offset and timestamp."""

    offset: int
    timestamp: int


@dataclass(slots=True)
class ParkedKey:
    due_at: float
    reason: str
    unloaded: deque[int] = field(default_factory=deque)  # Offsets, ascending.
    loaded: int = 0  # Its entries in memory.
    last_loaded: int = -1
    # The first entry unloaded last: its offset, lone failures, and deliveries and lead at the last.
    suspect: tuple[int, int, int, int] = (-1, 0, -1, 0)

    def is_next(self, offset: int) -> bool:
        """Whether this one may be queued now without overtaking another."""
        if not self.unloaded or self.unloaded[0] != offset:
            return False
        return self.loaded == 0 or offset > self.last_loaded


class ParkedPartition:
    """One partition of the parked topic: the records of one destination and topic."""

    def __init__(self) -> None:
        self.keys: dict[str, ParkedKey] = {}
        self._coming: dict[str, set[int]] = {}  # By key: original offsets, not yet seen here.
        # What a former process parked: original offsets, with the records' timestamps (other
        # records have these offsets once the topic was deleted and created again). Only offsets
        # that may be read again are kept.
        self.seen: dict[int, int] = {}
        self._lowest_seen: list[int] = []  # A heap.
        self._due: dict[str, None] = {}  # Due, with something unloaded.
        # Keys that wait for older records parked elsewhere; None: all, until it is known who.
        self._behind: frozenset[str] | None = frozenset()
        self._may_be: Callable[[str], bool] | None = None  # Then these keys alone, not all.
        self._alarms: list[tuple[float, str]] = []

    def __contains__(self, key: str) -> bool:
        return key in self.keys or self.is_behind(key)

    def __bool__(self) -> bool:
        """Whether any key waits here."""
        return bool(self.keys or self._behind is None or self._behind)

    def is_behind(self, key: str) -> bool:
        """Whether it has to wait for what is parked of it elsewhere."""
        if self._behind is None:
            return self._may_be is None or self._may_be(key)
        return key in self._behind

    def wait_behind(
        self, keys: Iterable[str] | None, may_be: Callable[[str], bool] | None = None
    ) -> None:
        """Set the keys that have older records parked in other partitions.

        None: it is not known yet which have, so all wait, or all that may have.
        """
        waited = [key for key in self.keys if self.is_behind(key)]
        self._behind, self._may_be = None if keys is None else frozenset(keys), may_be
        for key in waited:
            if not self.is_behind(key):
                self._line_up(key)

    def park(self, key: str, offset: int, until: float, reason: str) -> ParkedKey:
        """A record of this key is about to be parked here."""
        parked = self._of(key, until, reason)
        self._coming.setdefault(key, set()).add(offset)
        return parked

    def arrived(
        self, key: str, offset: int, original: Original | None, until: float, why: str
    ) -> None:
        """A record was seen here for the first time."""
        coming = self._coming.get(key, set())
        if original is not None and original.offset in coming:
            coming.remove(original.offset)
            if not coming:
                del self._coming[key]
        parked = self._of(key, until, why)
        parked.unloaded.append(offset)
        if len(parked.unloaded) == 1:
            self._line_up(key)

    def know(self, original: Original) -> None:
        """A former process parked this one, and its original may be read again."""
        if original.offset not in self.seen:
            heappush(self._lowest_seen, original.offset)
        self.seen[original.offset] = original.timestamp

    def forget_seen(self, before: int) -> None:
        """Forget offsets of the original partition that will not be read again."""
        while self._lowest_seen and self._lowest_seen[0] < before:
            del self.seen[heappop(self._lowest_seen)]

    def lose(self, before: int) -> list[int]:
        """Offsets below `before` are gone from Kafka; returns those of records that waited."""
        lost: list[int] = []
        for key, parked in list(self.keys.items()):
            while parked.unloaded and parked.unloaded[0] < before:
                lost.append(parked.unloaded.popleft())
            if not parked.unloaded:
                self._due.pop(key, None)
                self._forget_if_done(key)
        return lost

    def loads(self, key: str, offset: int, now: float) -> bool:
        """Whether this record is due; then it counts as loaded."""
        parked = self.keys.get(key)
        if parked is None or parked.due_at > now or not parked.is_next(offset):
            return False
        if self.is_behind(key):
            return False
        parked.unloaded.popleft()
        parked.loaded += 1
        parked.last_loaded = offset
        if not parked.unloaded:
            self._due.pop(key, None)
        return True

    def is_overtaking(self, key: str, offset: int) -> bool:
        parked = self.keys.get(key)
        return parked is not None and bool(parked.unloaded) and parked.unloaded[0] < offset

    def unload(self, key: str, offsets: Sequence[int], until: float, reason: str) -> None:
        """These are held again, and leave memory."""
        parked = self.keys[key]
        parked.loaded -= len(offsets)
        parked.unloaded = deque(sorted([*offsets, *parked.unloaded]))
        parked.due_at, parked.reason = until, reason
        self._line_up(key)

    def settled(self, key: str) -> None:
        """One that was loaded is settled."""
        self.keys[key].loaded -= 1
        self._forget_if_done(key)

    def wake(self, now: float) -> None:
        while self._alarms and self._alarms[0][0] <= now:
            _, key = heappop(self._alarms)
            parked = self.keys.get(key)
            if self.is_behind(key):
                continue  # It is queued again when it need not wait any more.
            if parked is not None and parked.unloaded and parked.due_at <= now:
                self._due[key] = None

    @property
    def next_at(self) -> float | None:
        return self._alarms[0][0] if self._alarms else None

    def wanted(self) -> int | None:
        """The lowest offset that is due."""
        return min(
            (
                parked.unloaded[0]
                for key in self._due
                if not self.is_behind(key)
                and (parked := self.keys[key]).is_next(parked.unloaded[0])
            ),
            default=None,
        )

    def records(self) -> int:
        """How many wait here, unloaded or about to be parked."""
        unloaded = sum(len(parked.unloaded) for parked in self.keys.values())
        return unloaded + sum(len(offsets) for offsets in self._coming.values())

    def _of(self, key: str, until: float, reason: str) -> ParkedKey:
        parked = self.keys.get(key)
        if parked is None:
            parked = self.keys[key] = ParkedKey(until, reason)
        return parked

    def _line_up(self, key: str) -> None:
        heappush(self._alarms, (self.keys[key].due_at, key))
        self._due.pop(key, None)

    def _forget_if_done(self, key: str) -> None:
        parked = self.keys[key]
        if parked.loaded == 0 and not parked.unloaded and key not in self._coming:
            del self.keys[key]
            self._due.pop(key, None)


def wakes_at(letter: LetterHeaders, record: Record, now: float) -> float:
    """When a parked record is due, on our clock."""
    if letter.not_before is None:
        return now
    parked_at = record.timestamp / 1000 if letter.parked_at is None else letter.parked_at
    return until_here(letter.not_before, parked_at, now)


def unparked(record: Record) -> tuple[Stored, LetterHeaders]:
    """What was parked, and what its headers say."""
    letter = LetterHeaders.decoded(record.headers)
    origin = letter.origin
    accepted_at = letter.accepted_at
    return (
        Stored(
            topic=origin.place.topic if origin else record.topic,
            partition=origin.place.partition if origin else record.partition,
            offset=origin.offset if origin else record.offset,
            timestamp=record.timestamp if accepted_at is None else round(accepted_at * 1000),
            key=record.key,
            value=record.value,
            headers=without_letter(record.headers),
        ),
        letter,
    )
