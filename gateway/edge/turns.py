"""How much is read of requests between two looks at the sockets, whoever they are from.

A step of the event loop runs all that is ready. Of 64 batches that came together, each took half a
millisecond to two, and Kafka's answer to the first waited for the last.
"""

import asyncio
from collections import deque

TURN_BYTES = 200_000  # Of bodies; read in 2 to 5 ms.


class Pauses:
    """Others are served each time that one request has worked on so many bytes."""

    def __init__(self, turn_bytes: int) -> None:
        self._turn_bytes = turn_bytes
        self._size = 0

    async def before(self, value: bytes) -> None:
        if self._size > self._turn_bytes:
            await asyncio.sleep(0)
            self._size = 0
        self._size += len(value)


class Turns:
    """First come, first served: who comes while others wait is behind them."""

    def __init__(self) -> None:
        self._left = TURN_BYTES
        self._is_counting = False
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> None:
        """Returns when so many bytes may be read."""
        loop = asyncio.get_running_loop()
        if self._left > 0 and not self._waiting:
            self._left -= size
            if not self._is_counting:
                self._is_counting = True
                loop.call_soon(self._next)
            return
        turn = loop.create_future()
        self._waiting.append((size, turn))
        await turn

    def _next(self) -> None:
        self._left = TURN_BYTES
        while self._waiting and self._left > 0:
            size, turn = self._waiting.popleft()
            if not turn.done():  # Its request was cancelled.
                self._left -= size
                turn.set_result(None)
        self._is_counting = self._left < TURN_BYTES
        if self._is_counting:
            asyncio.get_running_loop().call_soon(self._next)
