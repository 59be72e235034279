"""The engine's clock: it only goes forward, one second a second.

It is the wall clock's time when the process started, plus the seconds since by the monotonic clock.
Every deadline of the process is on this clock, so setting the wall clock neither prolongs nor
shortens a hold. It is never adjusted: that would move all deadlines at once.

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
