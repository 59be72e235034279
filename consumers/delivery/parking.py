"""Parked records: keys whose records wait in Kafka, not in memory.

`ampgate.parked` is co-partitioned with the topics that it serves. The owner of a partition reads
the parked partition of the same number to its end first; so it knows which keys are parked, and
parks later records of these keys, too. Of the parked records it keeps the offsets, and reads the
records again when they are due.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from consumers.delivery.clocks import until_here
from consumers.delivery.parked_key import ParkedKey
from schemas.letters import LetterHeaders, Waiting, without_letter
from schemas.records import Record, Stored


class Original(NamedTuple):
    """A record in the topic's partition of the same number, identified by offset and timestamp."""

    offset: int
    timestamp: int


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
        self.unloaded = 0  # Of all keys.
        # First offsets of keys that are due; a heap. What is out of date is dropped when it is met.
        self._due: list[tuple[int, str]] = []
        self._again: dict[str, None] = {}  # Keys that were loaded, and have to wait again.
        # Keys that wait for older records parked elsewhere; None: all, until it is known who.
        self._behind: frozenset[str] | None = frozenset()
        self._may_be: Callable[[str], bool] | None = None  # Then these keys alone, not all.
        self._alarms: list[tuple[float, str]] = []

    def __contains__(self, key: str) -> bool:
        return key in self.keys or self.is_behind(key)

    def among(self, keys: Sequence[str]) -> list[int]:
        """The positions of those that wait here."""
        if self._behind is not None and not self._behind:
            own = self.keys
            return [position for position, key in enumerate(keys) if key in own]
        return [position for position, key in enumerate(keys) if key in self]

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

    def arrived(self, key: str, offset: int, original: int | None, until: float, why: str) -> None:
        """A record was seen here for the first time; `original`: its offset in our partition."""
        coming = self._coming.get(key)
        if coming is not None and original in coming:
            coming.remove(original)
            if not coming:
                del self._coming[key]
        parked = self._of(key, until, why)
        parked.add(offset)
        self.unloaded += 1
        if parked.unloaded == 1:
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
            while parked.first is not None and parked.first < before:
                lost.append(parked.take_first())
            self._offer(key, parked)
            self._forget_if_done(key)
        self.unloaded -= len(lost)
        return lost

    def loads(self, key: str, offset: int, now: float) -> bool:
        """Whether this record is due; then it counts as loaded."""
        parked = self.keys.get(key)
        if parked is None or parked.due_at > now or not parked.is_next(offset):
            return False
        if self.is_behind(key):
            return False
        parked.take_first()
        self.unloaded -= 1
        parked.loaded += 1
        parked.last_loaded = offset
        self._offer(key, parked)
        return True

    def is_overtaking(self, key: str, offset: int) -> bool:
        parked = self.keys.get(key)
        return parked is not None and parked.first is not None and parked.first < offset

    def unload(self, key: str, offsets: Sequence[int], until: float, reason: str) -> None:
        """These are held again, and leave memory."""
        parked = self.keys[key]
        parked.loaded -= len(offsets)
        parked.put_back(offsets)
        self.unloaded += len(offsets)
        self._again[key] = None
        parked.due_at, parked.reason = until, reason
        self._line_up(key)

    def settled(self, key: str) -> None:
        """One that was loaded is settled."""
        parked = self.keys[key]
        parked.loaded -= 1
        if parked.loaded == 0:
            self._offer(key, parked)
        self._forget_if_done(key)

    def wake(self, now: float) -> None:
        while self._alarms and self._alarms[0][0] <= now:
            _, key = heappop(self._alarms)
            parked = self.keys.get(key)
            if self.is_behind(key):
                continue  # It is queued again when it need not wait any more.
            if parked is not None and parked.unloaded and parked.due_at <= now:
                parked.is_due = True
                self._offer(key, parked)

    @property
    def next_at(self) -> float | None:
        return self._alarms[0][0] if self._alarms else None

    def wanted(self) -> int | None:
        """The lowest offset that is due."""
        while self._due:
            offset, key = self._due[0]
            parked = self.keys.get(key)
            is_next = parked is not None and parked.is_due and parked.is_next(offset)
            if is_next and not self.is_behind(key):
                return offset
            heappop(self._due)  # It is offered again when that changes.
        return None

    def waiting_again(self) -> Iterator[tuple[int, ParkedKey]]:
        """Keys that were loaded, and have to wait longer than their records say; by offset."""
        for key in self._again:
            if (first := self.keys[key].first) is not None:
                yield first, self.keys[key]

    def _of(self, key: str, until: float, reason: str) -> ParkedKey:
        parked = self.keys.get(key)
        if parked is None:
            parked = self.keys[key] = ParkedKey(until, reason)
        return parked

    def _line_up(self, key: str) -> None:
        heappush(self._alarms, (self.keys[key].due_at, key))
        self.keys[key].is_due = False

    def _offer(self, key: str, parked: ParkedKey) -> None:
        """Its first record may be the next to be loaded, if it is due."""
        if (first := parked.first) is None:
            parked.is_due = False
        elif parked.is_due:
            heappush(self._due, (first, key))

    def _forget_if_done(self, key: str) -> None:
        parked = self.keys[key]
        if parked.loaded == 0 and not parked.unloaded and key not in self._coming:
            del self.keys[key]
            self._again.pop(key, None)


def wakes_at(letter: LetterHeaders | Waiting, record: Record, now: float) -> float:
    """When a parked record is due, on our clock."""
    if letter.not_before is None:
        return now
    parked_at = record.timestamp / 1000 if letter.parked_at is None else letter.parked_at
    return until_here(letter.not_before, parked_at, now)


def unparked(record: Record) -> tuple[Stored, LetterHeaders]:
    """What was parked, and what its headers say."""
    letter = LetterHeaders.decoded(record.headers)
    origin = letter.origin
    return (
        Stored(
            topic=origin.place.topic if origin else record.topic,
            partition=origin.place.partition if origin else record.partition,
            offset=origin.offset if origin else record.offset,
            timestamp=accepted_ms(letter, record),
            key=record.key,
            value=record.value,
            headers=without_letter(record.headers),
        ),
        letter,
    )


def accepted_ms(letter: LetterHeaders | Waiting, record: Record) -> int:
    """The timestamp of what was parked."""
    accepted_at = letter.accepted_at
    return record.timestamp if accepted_at is None else round(accepted_at * 1000)
