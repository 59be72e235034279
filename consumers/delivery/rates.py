"""Rates that a destination allows each user or device, kept without being told off first."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from consumers.delivery.outcomes import Id

KNOWN_MAX = 50_000


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `records` of one id in any `seconds`, of which `burst` may come at once."""

    records: int
    seconds: float
    burst: int

    @property
    def interval(self) -> float:
        """Seconds a record: a burst and a window of these are `records` together."""
        return self.seconds / (self.records - self.burst)


class Meter:
    """For each id, the time at which all that was sent of it would have been due at its rate.

    With at most `company` records a request, no window sees more than the rate allows.
    """

    def __init__(self, rate: Rate, company: int) -> None:
        assert company <= rate.burst < rate.records
        self._interval = rate.interval
        self._slack = (rate.burst - company) * rate.interval
        # With company, once in a request is too seldom to exceed any rate.
        self._seldom = 1 if company > 1 else 0
        self._due: dict[Id, float] = {}

    def sent(self, ids: Iterable[Id], now: float) -> Iterator[tuple[Id, float]]:
        """These go out now; yields the ids that have to wait from here on, and until when."""
        if len(self._due) > KNOWN_MAX:
            self._due = {identity: due for identity, due in self._due.items() if due > now}
        for identity, count in Counter(ids).items():
            if count > self._seldom:
                due = max(self._due.get(identity, now), now) + count * self._interval
                self._due[identity] = due
                if due - now > self._slack:
                    yield identity, due - self._slack
