"""Holds: which users, devices and keys must wait, why, and until when."""

from collections.abc import Mapping
from heapq import heappop, heappush
from operator import attrgetter
from typing import NamedTuple

from consumers.delivery.destination import Encoded
from consumers.delivery.outcomes import Id, IdKind

WAIT_SECONDS_MAX = 86_400.0  # The longest wait a destination may ask for (retry_after.py).
_until = attrgetter("until")


class Held(NamedTuple):
    """A hold: whose it is, why, and until when. A commit note has it by a held record's offset."""

    kind: IdKind
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
    """`users`, `devices` and `keys` are those that are held now; others only read them."""

    def __init__(self) -> None:
        self.users: dict[str | None, Held] = {}  # None, as a record may have no user: never held.
        self.devices: dict[str | None, Held] = {}
        self.keys: dict[str | None, Held] = {}
        self._of_kind = {"user": self.users, "device": self.devices, "key": self.keys}
        self._alarms: list[tuple[float, Id]] = []
        self.ended = 0  # How many holds have.

    def __bool__(self) -> bool:
        return bool(self.users or self.devices or self.keys)

    def hold(self, identity: Id, until: float, reason: str) -> None:
        """Hold until `until`, or later if it is held for longer already."""
        kind, value = identity
        clocks = self._of_kind[kind]
        known = clocks.get(value)
        if known is None or known.until < until:
            clocks[value] = Held(kind, reason, until)
            heappush(self._alarms, (until, identity))

    def of(self, identity: Id) -> Held | None:
        """Its hold; None if it is not held."""
        return self._of_kind[identity.kind].get(identity.value)

    def last_of(self, encoded: Encoded) -> Held | None:
        """The last of the holds of its key, user and device to end; None if there is none."""
        found = (
            self.keys.get(encoded.key),
            self.users.get(encoded.user_id),
            self.devices.get(encoded.device_id),
        )
        return max([one for one in found if one is not None], key=_until, default=None)

    def wake(self, now: float) -> bool:
        """Remove expired holds; returns whether there were any."""
        before = self.ended
        while self._alarms and self._alarms[0][0] <= now:
            _, identity = heappop(self._alarms)
            clocks = self._of_kind[identity.kind]
            held = clocks.get(identity.value)
            if held is not None and held.until <= now:
                del clocks[identity.value]
                self.ended += 1
        return self.ended > before

    @property
    def next_at(self) -> float | None:
        return self._alarms[0][0] if self._alarms else None
