"""Searches of Kafka for people: few at once, each within a time, and cancelled with its page."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from ampgate.console.access import Session
from ampgate.errors import CommandError

AT_ONCE = 3
WAITING_MAX = 10  # That wait for others.
SEARCH_SECONDS = 60.0
PER_MINUTE = 40  # Of one session.
SESSIONS_MAX = 1_000

Found = TypeVar("Found")
Work: TypeAlias = Callable[[], Awaitable[Found]]


class TooManySearchesError(Exception):
    """Somebody asks faster than Kafka is to be searched."""


class Searches:
    def __init__(
        self, seconds: float = SEARCH_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._room = asyncio.Semaphore(AT_ONCE)
        self._under_way = 0
        self._begun: dict[str, deque[float]] = {}

    def admit(self, session: Session) -> None:
        """Count a search before it begins; `TooManySearchesError` if there are too many."""
        now = self._clock()
        begun = self._begun.setdefault(session.csrf, deque(maxlen=PER_MINUTE))
        if len(begun) == PER_MINUTE and now - begun[0] < 60:
            raise TooManySearchesError(f"{PER_MINUTE} searches in a minute are the most.")
        if self._under_way >= AT_ONCE + WAITING_MAX:
            raise TooManySearchesError("Others search as well: try again in a minute.")
        begun.append(now)
        if len(self._begun) > SESSIONS_MAX:
            del self._begun[next(iter(self._begun))]

    async def run(self, work: Work[Found]) -> Found:
        self._under_way += 1
        try:
            async with asyncio.timeout(self._seconds), self._room:
                return await work()
        except TimeoutError as error:
            raise CommandError(
                f"the search was stopped after {self._seconds:g} s: search a shorter time"
            ) from error
        finally:
            self._under_way -= 1
