"""So many requests in any so many seconds, and no more, as a server counts them.

A server counts a request at some time between its sending and its answer. So one that follows
waits from the answer on, and requests go one after the other.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType


class Pace:
    """`async with pace:` around each request."""

    def __init__(
        self,
        requests: int,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._answered: deque[float] = deque(maxlen=requests)
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> None:
        await self._turn.acquire()
        try:
            if len(self._answered) == self._answered.maxlen:
                await self._sleep(max(0.0, self._answered[0] + self._seconds - self._clock()))
        except BaseException:
            self._turn.release()
            raise

    async def __aexit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._answered.append(self._clock())
        self._turn.release()
