"""What may be asked when, of what a project may spend (amplitude-read.md#cost). Pure.

Amplitude counts over sliding windows. What was spent is kept by the second, so an hour is at most
3,600 entries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

Spent = Mapping[str, Sequence[tuple[int, int]]]  # By pool: when, in whole seconds, and how much.
FUTURE_SECONDS = 2  # What was spent later than now was written before the clock was set back.


@dataclass(frozen=True, slots=True)
class Pool:
    """Requests that are counted together: so much in any so many seconds, so many at once."""

    name: str
    windows: Sequence[tuple[int, int]]
    at_once: int

    @property
    def most(self) -> int:
        """What one request may cost."""
        return min(limit for limit, _ in self.windows)


REST = Pool("rest", ((1_000, 300), (108_000, 3_600)), at_once=5)
SEARCHES = Pool("searches", ((360, 3_600),), at_once=10)
COHORTS = Pool("cohorts", ((60, 600),), at_once=4)
TAXONOMY = Pool("taxonomy", ((7_200, 3_600),), at_once=4)
PROFILES = Pool("profiles", ((600, 60),), at_once=10)


@dataclass(slots=True)
class Spending:
    """What one project has spent."""

    spent: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def wait_seconds(self, pool: Pool, cost: int, now: float) -> float:
        """How long until it may be spent; infinite if that is more than a window's whole."""
        if cost > pool.most:
            return inf
        entries = self._entries(pool, now)
        return max(_until(entries, cost, *window, now) for window in pool.windows)

    def spend(self, pool: Pool, cost: int, now: float) -> None:
        entries = self._entries(pool, now)
        second = int(now)
        if entries and entries[-1][0] == second:
            entries[-1] = (second, entries[-1][1] + cost)
        else:
            entries.append((second, cost))
        self.spent[pool.name] = entries

    def _entries(self, pool: Pool, now: float) -> list[tuple[int, int]]:
        """Those that still count, in order."""
        longest = max(seconds for _, seconds in pool.windows)
        return sorted(
            (at, cost)
            for at, cost in self.spent.get(pool.name, ())
            if now - longest - 1 < at <= now + FUTURE_SECONDS
        )


def _until(
    entries: Sequence[tuple[int, int]], cost: int, limit: int, seconds: int, now: float
) -> float:
    """A second counts until its end has left the window: it was some time within it."""
    left = [(at, spent) for at, spent in entries if at + 1 + seconds > now]
    over = sum(spent for _, spent in left) + cost - limit
    for at, spent in left:
        if over <= 0:
            break
        over -= spent
        if over <= 0:
            return at + 1 + seconds - now
    return 0.0
