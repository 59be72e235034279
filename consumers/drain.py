"""Draining: nothing new goes out, and what is under way is waited for."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()


class Drain:
    """Whether anything new may go out, and how much is under way.

    While it is not open, nothing new is sent, parked or written to the dead letter topic. `stop`
    closes it for good; `closed` for the length of a block.
    """

    def __init__(self, worker: str, in_flight: Callable[[], int]) -> None:
        self._worker = worker
        self._in_flight = in_flight  # How many requests have no reply yet.
        self._letters = 0  # Not yet acknowledged by Kafka.
        self._drains = 0  # Going on.
        self._ended = asyncio.Event()  # Set whenever a request or a letter ends.
        self.is_stopping = False

    @property
    def is_open(self) -> bool:
        return self._drains == 0 and not self.is_stopping

    def stop(self) -> None:
        self.is_stopping = True

    @contextmanager
    def closed(self) -> Iterator[None]:
        self._drains += 1
        try:
            yield
        finally:
            self._drains -= 1

    def letters_begin(self, count: int) -> None:
        """Call it before anything is awaited since the letters were taken from the engine."""
        self._letters += count

    def letters_ended(self, count: int) -> None:
        self._letters -= count
        self._ended.set()

    def request_ended(self) -> None:
        self._ended.set()

    async def drained(self, seconds: float) -> None:
        """Return once no request and no letter is under way, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while self._in_flight() > 0 or self._letters > 0:
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            log.warning(
                "drain timed out, requests and letters under way will be sent again",
                worker=self._worker,
                requests=self._in_flight(),
                letters=self._letters,
                waited_seconds=seconds,
            )
