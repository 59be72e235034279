"""One key of which records are parked."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class ParkedKey:
    """There may be millions, most of them with one record: so no deque, which takes 700 bytes."""

    due_at: float
    reason: str
    loaded: int = 0  # Its entries in memory.
    last_loaded: int = -1
    is_due: bool = False  # And something of it is not loaded.
    # The first entry unloaded last: its offset, lone failures, and deliveries and lead at the last.
    suspect: tuple[int, int, int, int] = (-1, 0, -1, 0)
    _offsets: list[int] = field(default_factory=list)  # Ascending,
    _gone: int = 0  # and how many of the first are not unloaded any more.

    @property
    def unloaded(self) -> int:
        """How many of its records are in Kafka only."""
        return len(self._offsets) - self._gone

    @property
    def first(self) -> int | None:
        """The lowest offset of these."""
        return self._offsets[self._gone] if self._gone < len(self._offsets) else None

    def add(self, offset: int) -> None:
        self._offsets.append(offset)

    def take_first(self) -> int:
        offset = self._offsets[self._gone]
        self._gone += 1
        if 2 * self._gone > len(self._offsets):
            del self._offsets[: self._gone]
            self._gone = 0
        return offset

    def put_back(self, offsets: Sequence[int]) -> None:
        self._offsets = sorted([*offsets, *self._offsets[self._gone :]])
        self._gone = 0

    def is_next(self, offset: int) -> bool:
        """Whether this one may be queued now without overtaking another."""
        return self.first == offset and (self.loaded == 0 or offset > self.last_loaded)
