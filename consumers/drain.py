"""Draining: nothing new is sent, and requests and letters in flight are waited for."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

log = structlog.get_logger()


class Drain:
    """Whether something new may be sent, and how much is in flight.

    While it is not open, nothing new is sent, parked or written to the dead letter topic. `stop`
    closes it for good; `closed` for the length of a block.
    """

    def __init__(self, worker: str, in_flight: Callable[[], int]) -> None:
        self._worker = worker
        self._in_flight = in_flight  # How many requests have no reply yet.
        self._letters = 0  # Letters not yet acknowledged by Kafka.
        self._drains = 0  # How many blocks hold it closed.
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
        """Call it right after taking letters from the engine, before anything is awaited."""
        self._letters += count

    def letters_ended(self, count: int) -> None:
        self._letters -= count
        self._ended.set()

    def request_ended(self) -> None:
        self._ended.set()

    async def drained(self, seconds: float) -> None:
        """Return once no request and no letter is in flight, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while self._in_flight() > 0 or self._letters > 0:
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            log.warning(
                "drain timed out, requests and letters in flight will be sent again",
                worker=self._worker,
                requests=self._in_flight(),
                letters=self._letters,
                waited_seconds=seconds,
            )
