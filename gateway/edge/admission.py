"""Admission limits: bytes in flight, and events a second of one source. Pure."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from gateway.dialects.shapes import RECORD_BYTES

NO_ROOM = "too much is on its way to Kafka, retry later"
TOO_MANY_BYTES = "the records become too many bytes"
TOO_MANY_RECORDS = "the request becomes too many records"


@dataclass(slots=True)
class Budget:
    """Bytes of requests between their first byte and their answer."""

    limit: int
    used: int = 0

    def share(self) -> "Share":
        return Share(self)


class OutOfRoomError(Exception):
    """The records of a request exceed the budget."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Share:
    """One request's part of the budget: it grows while the body is read and the records are built,
    and is given back at the end.
    """

    __slots__ = ("_budget", "_copied", "_free", "_more", "_records", "records_max", "size")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._free = self._more = self._records = self._copied = 0
        self.records_max: int | None = None  # Of a compressed body.
        self.size = 0

    def has_room(self, size: int) -> bool:
        """A request larger than the whole budget is admitted when it is alone."""
        budget = self._budget
        return budget.used == self.size or budget.used + size <= budget.limit

    def take(self, size: int) -> bool:
        """Take so many more bytes; returns whether there was room."""
        if not self.has_room(size):
            return False
        self._budget.used += size
        self.size += size
        return True

    def charge(self, size: int) -> None:
        """Take so many bytes in any case: they are in memory already."""
        self._budget.used += size
        self.size += size

    def let_become(self, most: int, *, free: int, records: int, copied: int) -> None:
        """Limit the records to `most` bytes; those of the body are counted already.

        Beyond the values of the body, so many `records` and `copied` bytes may come of it.
        """
        self._free = free
        self._more = most - free
        self._records = records
        self._copied = copied

    def fill(self, size: int) -> None:
        """Count so many bytes of a record."""
        self._free -= size
        if self._free >= 0:
            return
        over, self._free = -self._free, 0
        self._more -= over
        if self._more < 0:
            raise OutOfRoomError(413, TOO_MANY_BYTES)
        if not self.take(over):
            raise OutOfRoomError(503, NO_ROOM)

    def multiply(self, *, records: int, copied: int) -> None:
        """Count what comes of a value beyond itself, before it is built."""
        self._records -= records
        self._copied -= copied
        if self._records < 0:
            raise OutOfRoomError(413, TOO_MANY_RECORDS)
        if self._copied < 0:
            raise OutOfRoomError(413, TOO_MANY_BYTES)
        if not self.take(records * RECORD_BYTES):
            raise OutOfRoomError(503, NO_ROOM)

    @contextmanager
    def lend(self, size: int) -> Iterator[None]:
        """So many bytes for as long as a record is worked on."""
        if size > self._more:
            raise OutOfRoomError(413, TOO_MANY_BYTES)
        if not self.take(size):
            raise OutOfRoomError(503, NO_ROOM)
        try:
            yield
        finally:
            self.give_back(size)

    def give_back(self, size: int) -> None:
        assert size <= self.size, "more was given back than taken"
        self._budget.used -= size
        self.size -= size


class Rate(Protocol):
    """A rate of events, of one process or shared by several (`TokenBucket`)."""

    rate: float

    def take(self, count: int, now: float) -> float: ...
    def owe(self, count: int) -> None:
        """So many more events passed than `admit` was asked for: they count, too."""


class TokenBucket:
    """A rate with one second's burst.

    While there is a token, a request passes with all of its events, and the tokens become negative.
    So a batch larger than the burst waits no longer than a single event would.
    """

    __slots__ = ("at", "rate", "tokens")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self.tokens = self._burst
        self.at = now

    @property
    def _burst(self) -> float:
        return max(self.rate, 1.0)

    def take(self, count: int, now: float) -> float:
        """0 if the events may pass, else the seconds after which to retry."""
        passed = max(0.0, now - self.at)
        self.at = max(self.at, now)
        self.tokens = min(self._burst, self.tokens + passed * self.rate)
        if self.tokens < 1.0 and count:
            return (1.0 - self.tokens) / self.rate
        self.tokens -= count
        return 0.0

    def owe(self, count: int) -> None:
        self.tokens -= count

    def up_to(self, count: int, now: float) -> int:
        """How many of these events may pass."""
        if self.take(0, now) or self.tokens < 1.0:
            return 0
        passing = min(count, int(self.tokens))
        self.tokens -= passing
        return passing
