"""Rates that a destination allows each user or device, enforced on our side."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from consumers.delivery.destination import Encoded, Rate
from consumers.delivery.encoded_run import device_ids_of, user_ids_of
from consumers.delivery.outcomes import Id

KNOWN_MAX = 50_000
PACE = "pace"  # The reason of a hold that keeps an id within its rate.


class Meter:
    """For each id, when all that was sent of it would have been due at the allowed rate.

    With at most `batch_size` records a request, no window has more than the rate allows.
    """

    def __init__(self, rate: Rate, batch_size: int) -> None:
        assert batch_size <= rate.burst < rate.records
        self._interval = rate.interval
        self._slack = (rate.burst - batch_size) * rate.interval
        # In a batch with other ids, once a request is too seldom to exceed any rate.
        self._seldom = 1 if batch_size > 1 else 0
        self._due: dict[str, dict[str, float]] = {"user": {}, "device": {}}

    def sent(self, batch: Sequence[Encoded], now: float) -> Iterator[tuple[Id, float]]:
        """These are sent now; yields the ids to hold from here on, and until when."""
        yield from self._counted("user", Counter(user_ids_of(batch)), now)
        yield from self._counted("device", Counter(device_ids_of(batch)), now)

    def resumes(self, identity: Id, until: float) -> None:
        """Another process held it until then: what it has sent of it counts here, too."""
        if (known := self._due.get(identity.kind)) is not None:
            known[identity.value] = max(known.get(identity.value, 0.0), until + self._slack)

    def _counted(
        self, kind: Literal["user", "device"], counts: Counter[str | None], now: float
    ) -> Iterator[tuple[Id, float]]:
        if self._seldom and len(counts) == counts.total():
            return  # Nobody is in it twice.
        known, seldom, interval = self._due[kind], self._seldom, self._interval
        if len(known) > KNOWN_MAX:
            known = self._due[kind] = {name: due for name, due in known.items() if due > now}
        latest = now + self._slack
        for name, count in counts.items():
            if count > seldom and name is not None:
                known[name] = due = max(known.get(name, now), now) + count * interval
                if due > latest:
                    yield Id(kind, name), due - self._slack
