"""The time that the engine is told: it only goes forward, at the pace of seconds.

It is the wall clock's time when the process started, plus the seconds since by the monotonic clock.
So a wall clock that is set holds nobody for longer and wakes nobody early: every deadline of the
process is on this clock. It is never set again, for then all deadlines would move at once.

Deadlines that leave the process (a parked record's `not_before`, who is held in a commit note) are
on this clock, too, beside the moment at which they were written. The reader takes the shorter of
what is left by its own clock and of what was meant then (`delivery/clocks.py`). Ages (end to end,
the oldest that waits) compare with records' timestamps, so they are told by the wall clock.
"""

import time
from collections.abc import Callable


class Clock:
    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._start = wall() - monotonic()

    def __call__(self) -> float:
        return self._start + self._monotonic()
