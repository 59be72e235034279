"""The pulls that the group gives this process, each run once, one after the other."""

import asyncio
from collections.abc import Callable, Mapping

from gateway.pulls.membership import Partitions
from gateway.pulls.pulls import Progress, Pulls
from gateway.pulls.standstill import StoodStillError


class Once:
    """A run ends when its partition is taken away: its next page may be another member's.

    Where the partition is given back, the run goes on after its last page. What another member got
    meanwhile, or had from the beginning, is that member's for good: a pull runs once, not twice.
    """

    def __init__(self, pulls: Pulls, shown: Callable[[Progress], None]) -> None:
        self._pulls = pulls
        self._shown = shown
        self._given: Mapping[str, int] | None = None
        self._is_given = asyncio.Event()
        self._running: asyncio.Task[Progress] | None = None
        self._ended: dict[str, Progress] = {}

    async def take(self, partitions: Partitions, count: int) -> None:
        owned = self._pulls.owned(partitions, count)
        before = owned if self._given is None else self._given
        self._given = {name: at for name, at in before.items() if name in owned}
        self._is_given.set()

    async def leave(self) -> None:
        """Returns when none of them writes any more."""
        self._is_given.clear()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def all_ended(self) -> Mapping[str, Progress]:
        """Once each that is ours has ended; those that are others' are not among them."""
        while True:
            await self._is_given.wait()
            left = {name: at for name, at in (self._given or {}).items() if name not in self._ended}
            if not left:
                return self._ended
            name, partition = next(iter(left.items()))
            self._running = asyncio.create_task(self._pulls.once(name, partition, self._shown))
            try:
                await asyncio.wait([self._running])
            except asyncio.CancelledError:
                await self.leave()
                raise
            if self._running.cancelled():
                continue
            # It goes on from what Kafka has, if it is still ours.
            if not isinstance(self._running.exception(), StoodStillError):
                self._ended[name] = self._running.result()
