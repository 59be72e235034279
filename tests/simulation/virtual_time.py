"""asyncio on the clock of a world: nothing in it takes time by itself, and no socket is used."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from heapq import heappop, heappush
from typing import TypeVarTuple, Unpack

Arguments = TypeVarTuple("Arguments")
ROUNDS = 30  # Of the loop: enough for all that follows from one event.


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._times: list[float] = []  # For which something was scheduled; a heap.
        self._has_news = True

    def time(self) -> float:
        return self.now

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        heappush(self._times, when)
        return super().call_at(when, callback, *args, context=context)

    def happened(self) -> None:
        """Something was done from outside, which tasks may wait for."""
        self._has_news = True

    @property
    def due_at(self) -> float | None:
        return self._times[0] if self._times else None

    def catch_up(self, now: float) -> None:
        """Run all that is to run by then."""
        self.now = max(self.now, now)
        while self._has_news or (self._times and self._times[0] <= self.now):
            self._has_news = False
            while self._times and self._times[0] <= self.now:
                heappop(self._times)
            for _ in range(ROUNDS):
                self.run_until_complete(asyncio.sleep(0))
