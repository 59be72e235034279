"""Whether this process stood still for so long that its pulls may be another one's by now.

A process that was stopped, or whose machine was, goes on in the middle of a page as if no time had
passed. The group has given its pulls away meanwhile, and what it would write is older than what
the new owner has written. So it writes nothing, and begins again from what Kafka has.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

# Kafka gives a pull away 10 s after the last heartbeat, and there is one each 3 s.
SECONDS_MAX = 6.0
LOOK_SECONDS = 1.0


class StoodStillError(Exception):
    """Another process may have the pull."""


class Standstill:
    """Of one pull, since it was opened."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked = clock()
        self._has_been = False

    def require_none(self) -> None:
        self.look()
        if self._has_been:
            raise StoodStillError("this process stood still: another one may have the pull")

    def look(self) -> None:
        now = self._clock()
        self._has_been |= now - self._looked > SECONDS_MAX
        self._looked = now


@asynccontextmanager
async def watched() -> AsyncIterator[Standstill]:
    """One that looks by itself: only a process that stands still does not for so long."""
    standstill = Standstill()

    async def watch() -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            standstill.look()

    watching = asyncio.create_task(watch())
    try:
        yield standstill
    finally:
        watching.cancel()
        await asyncio.wait([watching])
