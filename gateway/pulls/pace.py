"""So many requests in any so many seconds, and no more: as a server counts them."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

# Two requests come closer together than they were sent: the server's window is a little shorter.
MARGIN = 1.1


class Pace:
    def __init__(
        self,
        requests: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._requests = requests
        self._seconds = seconds * MARGIN
        self._clock = clock
        self._sleep = sleep
        self._sent: deque[float] = deque(maxlen=requests)
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Until a request may go; it counts as sent then."""
        async with self._turn:
            if len(self._sent) == self._requests:
                await self._sleep(max(0.0, self._sent[0] + self._seconds - self._clock()))
            self._sent.append(self._clock())
