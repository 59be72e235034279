"""The stock: every record that was read and is not settled, and the letters to other topics.

It knows what each partition may commit, and how many bytes are in memory.
"""

from collections import deque
from collections.abc import Container, Iterable, Sequence

from consumers.delivery.entry import Entry, bytes_of, unmerged
from consumers.delivery.lanes import Letter
from consumers.delivery.offsets import Offsets, Unfinished
from consumers.delivery.outcomes import SUPPRESSED, Skip
from consumers.delivery.run import Run
from schemas.records import Record, TopicPartition

LETTERS_MAX = 10_000
PARKED_AT_ONCE_MAX = 1_000  # Of a partition: with more to be parked, no more of it is read.


class Stock:
    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.bytes = 0
        self.offsets: dict[TopicPartition, Offsets] = {}
        # What is committed, and what a former owner left, of partitions not read from yet.
        self.committed: dict[TopicPartition, int] = {}
        self.left: dict[TopicPartition, Unfinished] = {}
        self.dead: deque[Letter] = deque()
        self.leaving: dict[int, deque[Letter]] = {}  # To be parked, by partition.
        self._dropped = 0  # Not told yet.

    @property
    def has_room(self) -> bool:
        return self.room > 0

    @property
    def room(self) -> int:
        """How many bytes may still be read."""
        letters = len(self.dead) + self.leaving_records
        return self._bytes_max - self.bytes if letters < LETTERS_MAX else 0

    @property
    def bytes_max(self) -> int:
        return self._bytes_max

    def offsets_of(self, place: TopicPartition, record: Record) -> Offsets:
        offsets = self.offsets_from(place, record.offset)
        offsets.stamp(record.offset, record.timestamp)
        return offsets

    def offsets_from(self, place: TopicPartition, offset: int) -> Offsets:
        """The partition's offsets; if nothing of it was read yet, they begin at this offset."""
        offsets = self.offsets.get(place)
        if offsets is None:
            self.committed.pop(place, None)
            offsets = self.offsets[place] = Offsets(offset, self.left.pop(place, None))
        return offsets

    def restart(self, place: TopicPartition) -> bool:
        """Forget a partition's offsets, once nothing of it is unsettled."""
        offsets = self.offsets.get(place)
        if offsets is not None and offsets.span > 0:
            return False
        self.offsets.pop(place, None)
        self.left.pop(place, None)
        self.committed[place] = 0
        return True

    def may_be_read_again(self, place: TopicPartition, offset: int) -> bool:
        """Whether this offset of a partition of ours is still to be read, or read again."""
        if offsets := self.offsets.get(place):
            return offset >= offsets.read_to
        return offset >= self.committed.get(place, 0)

    def full(self, topic: str, span_max: int) -> set[TopicPartition]:
        return {
            place
            for place, offsets in self.offsets.items()
            if place.topic == topic
            and (offsets.is_full(span_max) or self._is_leaving_slowly(place.partition))
        }

    def _is_leaving_slowly(self, partition: int) -> bool:
        """Whether many wait to be parked: then those of other partitions need the room."""
        return len(self.leaving.get(partition, ())) > PARKED_AT_ONCE_MAX

    @property
    def leaving_records(self) -> int:
        return sum(map(len, self.leaving.values()))

    def unsettled(self) -> int:
        """Records that were read and are not settled, whether in memory or parked."""
        return sum(offsets.unsettled for offsets in self.offsets.values())

    def oldest(self) -> float | None:
        """When the oldest record was accepted that is not settled, in seconds.

        One of an old message format may have no time: it counts as none.
        """
        stamps = [one for offsets in self.offsets.values() if (one := offsets.oldest or 0) > 0]
        return min(stamps) / 1000 if stamps else None

    def enter(self, entries: Sequence[Entry] | Run) -> None:
        self.bytes += entries.size if isinstance(entries, Run) else bytes_of(entries)

    def forget(self, entries: Sequence[Entry] | Run) -> None:
        """These are not in memory any more, settled or not."""
        self.bytes -= entries.size if isinstance(entries, Run) else bytes_of(entries)

    def dead_letter(
        self, entry: Entry, reason: str, detail: str, now: float, status: int | None = None
    ) -> None:
        entry.status = status
        self.dead.append(Letter(entry, reason, detail, entry.first_failed_at or now))

    def park(self, entry: Entry, reason: str, until: float, now: float) -> None:
        first_failed_at = entry.first_failed_at or now
        letter = Letter(entry, reason, "", first_failed_at, until, now)
        self.leaving.setdefault(entry.record.partition, deque()).append(letter)

    def next_leaving(self, busy: Container[int]) -> Letter | None:
        """The next to be parked, of a partition that is none of these."""
        for partition, letters in self.leaving.items():
            if partition not in busy:
                letter = letters.popleft()
                if not letters:
                    del self.leaving[partition]
                return letter
        return None

    def depart(self, entry: Entry) -> None:
        """Settle a record that another topic has."""
        if entry.offsets.is_ours:
            self.done(entry.offsets, (entry,))
        else:
            self.forget((entry,))

    def done(self, offsets: Offsets, entries: Sequence[Entry] | Run) -> None:
        if isinstance(entries, Run):
            offsets.settle(entries.records.offsets)
            self.forget(entries)
            return
        if len(entries) == 1 and not entries[0].parts:  # With one event a request, lists are felt.
            [entry] = entries
            offsets.settle((entry.offset,))
            self.bytes -= entry.size
            if entry.parked is not None:
                entry.parked.settled(entry.encoded.key)
            return
        entries = unmerged(entries)
        offsets.settle([entry.offset for entry in entries])
        self.forget(entries)
        if entries and entries[0].parked is not None:
            for entry in entries:
                if entry.parked is not None:
                    entry.parked.settled(entry.encoded.key)

    def drop(self, entries: Sequence[Entry]) -> None:
        """The users of these were suppressed after they were read."""
        for entry in entries:
            self.done(entry.offsets, (entry,))
        self._dropped += len(entries)

    def forget_dropped(self) -> list[Skip]:
        """Why these need no delivery, since the last call."""
        dropped, self._dropped = self._dropped, 0
        return [SUPPRESSED] * dropped

    def revoke(self, places: Iterable[TopicPartition], lined_up: Sequence[Entry]) -> None:
        """These partitions are another consumer's now: forget their records."""
        for place in places:
            self.committed.pop(place, None)
            self.left.pop(place, None)
            if offsets := self.offsets.pop(place, None):
                offsets.is_ours = False
        self.forget(lined_up)
        for letters in (self.dead, *self.leaving.values()):
            for letter in list(letters):
                if not letter.entry.offsets.is_ours:
                    letters.remove(letter)
                    self.forget((letter.entry,))
        self.leaving = {number: letters for number, letters in self.leaving.items() if letters}
