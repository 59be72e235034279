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
        self.committable = start
        self.is_ours = True  # Until the partition is revoked.

    def read(self, offset: int) -> None:
        assert offset >= self.committable, "an offset was read twice"
        self._read.append(offset)

    def settle(self, offsets: Iterable[int]) -> None:
        for offset in offsets:
            assert offset not in self._settled, "a record was settled twice"
            self._settled.add(offset)
        while self._read and self._read[0] in self._settled:
            lowest = self._read.popleft()
            self._settled.remove(lowest)
            self.committable = lowest + 1

    @property
    def unsettled(self) -> int:
        return len(self._read) - len(self._settled)

    @property
    def span(self) -> int:
        """How many records a crash now would send again."""
        return len(self._read)
