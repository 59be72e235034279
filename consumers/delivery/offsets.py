"""How far one partition may be committed."""

from collections import deque
from collections.abc import Iterable


class Offsets:
    """The offsets read from one partition and not yet all settled.

    Records settle in any order, but Kafka commits a single number per partition. So the
    committable offset is the lowest unsettled one: a crash replays only from there.
    """

    def __init__(self, start: int) -> None:
        self._read: deque[int] = deque()
        self._settled: set[int] = set()
        self._stamps: deque[tuple[int, int]] = deque()
        self.committable = start
        self.read_to = start  # The next offset that is expected.
        self.is_ours = True  # Until the partition is revoked.

    def read(self, offset: int) -> None:
        assert offset >= self.read_to, "an offset was read twice"
        self._read.append(offset)
        self.read_to = offset + 1

    def stamp(self, offset: int, timestamp: int) -> None:
        """From this offset on, records are at least this young; one a fetch is enough."""
        self._stamps.append((offset, timestamp))

    def settle(self, offsets: Iterable[int]) -> None:
        read, settled = self._read, self._settled
        for offset in offsets:
            if read and read[0] == offset:
                read.popleft()
                self.committable = offset + 1
            else:
                assert offset not in settled, "a record was settled twice"
                settled.add(offset)
        while read and read[0] in settled:
            lowest = read.popleft()
            settled.remove(lowest)
            self.committable = lowest + 1

    @property
    def unsettled(self) -> int:
        return len(self._read) - len(self._settled)

    def unsettled_ranges(self, limit: int) -> list[list[int]]:
        """Where the unsettled are, first and last; past the limit the last one covers all."""
        if not self._settled:
            return [[self._read[0], self.read_to - 1]] if self._read else []
        ranges: list[list[int]] = []
        is_open = False
        for offset in self._read:
            if offset in self._settled:
                is_open = False
            elif is_open:
                ranges[-1][1] = offset
            elif len(ranges) == limit:
                ranges[-1][1] = self.read_to - 1
                break
            else:
                ranges.append([offset, offset])
                is_open = True
        return ranges

    @property
    def span(self) -> int:
        """How many records a crash now would send again."""
        return len(self._read)

    @property
    def oldest(self) -> int | None:
        """The timestamp of the oldest unsettled record, to the precision of a fetch."""
        if not self._read:
            self._stamps.clear()
            return None
        stamps = self._stamps
        while len(stamps) > 1 and stamps[1][0] <= self._read[0]:
            stamps.popleft()
        return stamps[0][1] if stamps else None
