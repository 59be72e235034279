"""How far one partition may be committed."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Range = tuple[int, int]  # The first and the last offset.
SETTLED_MIN = 4096  # With so many settled, compact what is remembered.
STAMPS_MAX = 1000
RUNS_MAX = 3000  # More ranges would not fit in a commit note.


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What a former owner of a partition left: it read up to `read_to`, and settled all but these.

    The ranges ascend; they may cover more than what is unsettled, never less.
    """

    read_to: int
    unsettled: Sequence[Range]

    def has_settled(self, offset: int) -> bool:
        if offset >= self.read_to:
            return False
        after = bisect_right(self.unsettled, offset, key=lambda range_: range_[0])
        return after == 0 or self.unsettled[after - 1][1] < offset


def shortened(left: Unfinished, ranges_max: int) -> Unfinished:
    """With fewer ranges, the last of which covers the rest."""
    ranges = list(left.unsettled)
    if len(ranges) > ranges_max:
        ranges[ranges_max - 1 :] = [(ranges[ranges_max - 1][0], ranges[-1][1])]
    return Unfinished(left.read_to, ranges)


class Offsets:
    """The offsets read from one partition, up to the last unsettled one.

    Records settle in any order, but Kafka commits a single number per partition. So the
    committable offset is the lowest unsettled one: a crash replays only from there.
    """

    def __init__(self, start: int, left: Unfinished | None = None) -> None:
        self._read: deque[int] = deque()
        self._settled: set[int] = set()
        self._after_settled: set[int] = set()  # Settled offsets right before these are forgotten.
        self._stamps: deque[tuple[int, int]] = deque()
        self._left: Sequence[Range] = left.unsettled if left else ()
        self._left_firsts = [first for first, _ in self._left]
        self.left_to = left.read_to if left else start  # `was_settled` knows of offsets below.
        self.read_to = start  # The next offset that is expected.
        self.is_ours = True  # Until the partition is revoked.
        self._runs = 0  # Ranges of unsettled offsets, when last counted.
        self._is_after_lost = False  # About the next record.

    @property
    def committable(self) -> int:
        return self._read[0] if self._read else self.read_to

    def read(self, offsets: Sequence[int], to: int) -> None:
        """Records up to `to` were read; `offsets`, ascending, are those to be settled.

        The others need no delivery; reading them again after a crash is harmless.
        """
        assert not offsets or self.read_to <= offsets[0] <= offsets[-1] < to, "out of order"
        if self._is_after_lost and offsets:
            self._after_settled.add(offsets[0])
            self._is_after_lost = False
        self._read.extend(offsets)
        self.read_to = to

    def lose(self, before: int, *, all_are_ours: bool) -> int:
        """Offsets below this one cannot be read any more; returns how many were not settled.

        Offsets that a former owner settled do not count. Where other destinations have records,
        only offsets count that a former owner knew to be of ours.
        """
        first, self.read_to = self.read_to, max(self.read_to, before)
        left = [max(0, min(b + 1, before) - max(a, first)) for a, b in self._left]
        self._is_after_lost |= self.read_to > first
        return sum(left) + (max(0, before - max(first, self.left_to)) if all_are_ours else 0)

    def was_settled(self, offset: int) -> bool:
        """Whether a former owner settled it. Asking changes nothing: it may come to no reading."""
        if offset >= self.left_to:
            return False
        after = bisect_right(self._left_firsts, offset)
        return after == 0 or self._left[after - 1][1] < offset

    def stamp(self, offset: int, timestamp: int) -> None:
        """From this offset on, records are not older than this; call it once a fetch."""
        self._stamps.append((offset, timestamp))
        if len(self._stamps) > STAMPS_MAX:
            self._stamps = deque(list(self._stamps)[::2])

    def settle(self, offsets: Iterable[int]) -> None:
        read, settled = self._read, self._settled
        for offset in offsets:
            if read and read[0] == offset:
                read.popleft()
            else:
                assert offset not in settled, "a record was settled twice"
                settled.add(offset)
        while read and read[0] in settled:
            settled.remove(read.popleft())
        if len(settled) >= SETTLED_MIN and len(settled) * 2 >= len(read):
            self._forget_settled()

    @property
    def unsettled(self) -> int:
        return len(self._read) - len(self._settled)

    def unfinished(self, ranges_max: int | None = None) -> Unfinished:
        """What the next owner must know if nothing more is settled.

        With `ranges_max`, the last range of what was read covers the rest of it.
        """
        ahead = [(max(first, self.read_to), last) for first, last in self._left]
        ranges = self._unsettled_ranges(ranges_max)
        ranges += [one for one in ahead if one[0] <= one[1]]
        self._runs = len(ranges)
        return Unfinished(max(self.read_to, self.left_to), ranges)

    def _unsettled_ranges(self, ranges_max: int | None) -> list[Range]:
        """Skipped offsets may be among them: reading those again is harmless."""
        if not self._read:
            return []
        if not self._after_settled and self._read[-1] - self._read[0] == len(self._read) - 1:
            return self._unsettled_of_all(ranges_max)
        ranges: list[Range] = []
        is_open = False
        for offset in self._read:
            if offset in self._settled:
                is_open = False
            elif is_open and offset not in self._after_settled:
                ranges[-1] = ranges[-1][0], offset
            elif len(ranges) == ranges_max:
                ranges[-1] = ranges[-1][0], self._read[-1]
                break
            else:
                ranges.append((offset, offset))
                is_open = True
        return ranges

    def _unsettled_of_all(self, ranges_max: int | None) -> list[Range]:
        """The same where all offsets from the first to the last are remembered: in a third of the
        time, as only those that are settled are looked at.
        """
        ranges: list[Range] = []
        first, last = self._read[0], self._read[-1]
        for offset in sorted(self._settled):
            if first < offset:
                ranges.append((first, offset - 1))
            first = offset + 1
        if first <= last:
            ranges.append((first, last))
        if ranges_max is not None and len(ranges) > ranges_max:
            ranges[ranges_max - 1 :] = [(ranges[ranges_max - 1][0], last)]
        return ranges

    def _forget_settled(self) -> None:
        """A record that waits for a day must not keep all later offsets in memory."""
        left: deque[int] = deque()
        after_settled: set[int] = set()
        is_after = False
        last = self._read[-1]  # Stays: the next record read comes after it.
        for offset in self._read:
            if offset in self._settled and offset != last:
                is_after = True
                continue
            if is_after or offset in self._after_settled:
                after_settled.add(offset)
            left.append(offset)
            is_after = False
        self._read, self._after_settled = left, after_settled
        self._settled &= {last}

    @property
    def span(self) -> int:
        """How many offsets are remembered; a crash now sends at most so many records again."""
        return len(self._read)

    def is_full(self, span_max: int) -> bool:
        """Whether reading should stop until some records are settled."""
        return self.span >= span_max or self._runs > RUNS_MAX

    @property
    def oldest(self) -> int | None:
        """The timestamp of the oldest unsettled record, as precise as one fetch."""
        if not self._read:
            self._stamps.clear()
            return None
        stamps = self._stamps
        while len(stamps) > 1 and stamps[1][0] <= self._read[0]:
            stamps.popleft()
        return stamps[0][1] if stamps else None
