"""Holds: which users, devices and keys must wait, why, and until when."""

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from typing import Literal, NamedTuple

from consumers.delivery.outcomes import Id

WAIT_SECONDS_MAX = 86_400.0  # The longest wait a destination may ask for (retry_after.py).


class Clock(NamedTuple):
    until: float
    reason: str


class Held(NamedTuple):
    """A held record in a commit note: until when, and whose hold it is."""

    kind: Literal["user", "device", "key"]
    reason: str
    until: float


def until_here(until: float, written_at: float | None, now: float) -> float:
    """When a hold ends that another process wrote at `written_at`, by its own clock.

    The hold is never longer than it was then, nor than a day, even if a clock was set since.
    """
    meant = WAIT_SECONDS_MAX if written_at is None else min(until - written_at, WAIT_SECONDS_MAX)
    return min(until, now + max(0.0, meant))


def inherited(held: Mapping[int, Held], written_at: float | None, now: float) -> Mapping[int, Held]:
    """What the former owner of a partition held, by offset; times are on our clock."""
    return {
        offset: one._replace(until=until_here(one.until, written_at, now))
        for offset, one in held.items()
    }


class Clocks:
    def __init__(self) -> None:
        self._clocks: dict[Id, Clock] = {}
        self._alarms: list[tuple[float, Id]] = []

    def __bool__(self) -> bool:
        return bool(self._clocks)

    def hold(self, identity: Id, until: float, reason: str) -> None:
        """Hold until `until`, or later if it is held for longer already."""
        known = self._clocks.get(identity)
        if known is None or known.until < until:
            self._clocks[identity] = Clock(until, reason)
            heappush(self._alarms, (until, identity))

    def of(self, ids: Iterable[Id]) -> Clock | None:
        """The latest end of the holds of these ids; None if none of them is held."""
        found = [clock for identity in ids if (clock := self._clocks.get(identity))]
        return max(found, default=None)

    def wake(self, now: float) -> bool:
        """Remove expired holds; returns whether there were any."""
        woken = False
        while self._alarms and self._alarms[0][0] <= now:
            _, identity = heappop(self._alarms)
            clock = self._clocks.get(identity)
            if clock is not None and clock.until <= now:
                del self._clocks[identity]
                woken = True
        return woken

    @property
    def next_at(self) -> float | None:
        return self._alarms[0][0] if self._alarms else None
