"""So many requests in any so many seconds, and no more, as a server counts them.

A server counts a request at some time between its sending and its answer. So one that follows
waits from the answer on, and requests go one after the other. It counts on when our process is
another one: what was asked lately is noted with the pull's cursor.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType

Lately = Sequence[tuple[int, int]]  # Seconds since the epoch, and the requests of each.


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
        self._known: deque[float] = deque(maxlen=requests)  # Without those that are assumed.
        self._turn = asyncio.Lock()

    def lately(self, now: float) -> Lately:
        """What still counts; `now` in seconds since the epoch."""
        clock = self._clock()
        counts = Counter(
            int(now - (clock - at)) for at in self._known if at + self._seconds > clock
        )
        return sorted(counts.items())

    def remember(self, lately: Lately, now: float) -> None:
        """What another process has asked; what was after now is from before the clock was set."""
        for second, count in lately:
            at = self._clock() - max(0.0, now - (second + 1))
            for asked in (self._answered, self._known):
                asked.extend([at] * min(count, asked.maxlen or 0))

    def assume(self, count: int) -> None:
        """So many more may have been asked just now."""
        self._answered.extend([self._clock()] * count)

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
        now = self._clock()
        self._answered.append(now)
        self._known.append(now)
        self._turn.release()
