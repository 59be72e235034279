"""When a next step is due: of a client, or of Kafka.

A timer of the loop costs 2 µs, `asyncio.timeout` 6, and nearly each would be cancelled. So the due
time moves with each step, and the timer only where it would come too late.
"""

from asyncio import AbstractEventLoop
from asyncio.events import TimerHandle
from collections.abc import Callable


class Deadline:
    __slots__ = ("_late", "_looks_at", "_loop", "_timer", "due")

    def __init__(self, loop: AbstractEventLoop, late: Callable[[], None]) -> None:
        """`late` is called when a due time has passed; then none is set."""
        self._loop = loop
        self._late = late
        self.due: float | None = None  # None: no step is awaited.
        self._looks_at = 0.0
        self._timer: TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """From now on."""
        self.due = due = self._loop.time() + seconds
        if self._timer is not None:
            if self._looks_at <= due:
                return
            self._timer.cancel()
        self._look_at(due, seconds)

    def clear(self) -> None:
        self.due = None

    def forget(self) -> None:
        """Nothing will be due any more. Whoever is told has this: break the cycle."""
        self.due = None
        self._late = _nobody
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_at(self, due: float, seconds: float) -> None:
        self._looks_at = due
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        if self.due is None:
            return
        left = self.due - self._loop.time()
        if left > 0:
            self._look_at(self.due, left)
        else:
            self.due = None
            self._late()


def _nobody() -> None:
    """Nobody has to be told."""
