"""One bound for what all readers of a process have fetched, and nobody has taken yet.

Kafka's limits of a fetch hold for one reader, and its first record may be larger than they are. So
the answer to a fetch is not read from its connection before there is room for it (`arrival`): first
come, first served. Where there is none, readers drop what nobody wants now, as of a destination
that is full: it is fetched again later.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakSet

FETCHED_BYTES_MAX = 32_000_000  # A longer answer is read once there is nothing else.
LOOK_SECONDS = 0.1  # Between looks for what is not wanted any more.
SLOW_SECONDS = 2.0  # An answer that takes longer counts with what has come of it.


class Holder(Protocol):
    """A reader that has fetched."""

    @property
    def held_bytes(self) -> int:
        """Bytes that were fetched and not taken yet."""

    def give_way(self) -> bool:
        """Drop something that nobody wants now, if there is such."""


@dataclass(slots=True, eq=False)
class Arrival:
    """An answer that is being read."""

    size: int
    received: Callable[[], int]
    began: float = field(default_factory=time.monotonic)

    @property
    def bytes(self) -> int:
        """All of it, unless Kafka is slow: others must not wait for that."""
        is_slow = time.monotonic() - self.began > SLOW_SECONDS
        return self.received() if is_slow else self.size


class Budget:
    def __init__(self, bytes_max: int = FETCHED_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self._holders: WeakSet[Holder] = WeakSet()
        self._arriving: set[Arrival] = set()
        self._waiting: deque[asyncio.Event] = deque()

    @property
    def bytes(self) -> int:
        arriving = sum(arrival.bytes for arrival in self._arriving)
        return arriving + sum(holder.held_bytes for holder in self._holders)

    def join(self, holder: Holder) -> None:
        self._holders.add(holder)

    @asynccontextmanager
    async def room(self, size: int, received: Callable[[], int]) -> AsyncIterator[None]:
        """Wait for so many bytes, and have them until the end of the block."""
        await self._turn(size)
        arrival = Arrival(size, received)
        self._arriving.add(arrival)
        try:
            yield
        finally:
            self._arriving.discard(arrival)
            self.changed()

    def changed(self) -> None:
        """There may be more room."""
        if self._waiting:
            self._waiting[0].set()

    async def _turn(self, size: int) -> None:
        turn = asyncio.Event()
        self._waiting.append(turn)
        try:
            while self._waiting[0] is not turn or not self._has_room(size):
                turn.clear()
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await turn.wait()
                except TimeoutError:
                    pass  # Something may not be wanted any more.
        finally:
            self._waiting.remove(turn)
            self.changed()

    def _has_room(self, size: int) -> bool:
        """Holders give way for it, as far as they can."""
        while (used := self.bytes) and used + size > self.bytes_max:
            if not any(holder.give_way() for holder in list(self._holders)):
                return False
        return True


BUDGET = Budget()
