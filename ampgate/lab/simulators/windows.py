"""How often an id may come: sliding windows, holds, and the daily quota (amplitude.md#request,
amplitude.md#per-user-limits).

A rejected request counts nothing: nothing of it was stored. What it does is hold the named ids:
until then they are answered 429 again, and a client that sends one early breaks its promise.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from ampgate.lab.simulators.model import Violations

THROTTLED_SECONDS = 30.0  # "pause that user/device 30 s" (amplitude.md#request).
HOUR_SECONDS = 3600.0
RATE_SPAN_SECONDS = 30  # "averaged over 30 s" (amplitude.md#per-user-limits).
QUOTA_SPAN_SECONDS = 24 * 3600
QUOTA_STEP_SECONDS = 3600


class Window:
    """Counts per id over the last `span_seconds`, which moves in steps of `step_seconds`."""

    def __init__(self, span_seconds: int, step_seconds: int = 1) -> None:
        self._span, self._step = span_seconds, step_seconds
        self._totals: dict[str, int] = {}
        self._steps: deque[tuple[int, dict[str, int]]] = deque()

    def advance(self, now: float) -> None:
        """Forgets what the window has left. Each count is added once and removed once."""
        gone = int(now // self._step) * self._step - self._span
        while self._steps and self._steps[0][0] <= gone:
            for name, count in self._steps.popleft()[1].items():
                left = self._totals[name] - count
                if left:
                    self._totals[name] = left
                else:
                    del self._totals[name]

    def total(self, name: str) -> int:
        return self._totals.get(name, 0)

    def add(self, counts: Mapping[str, int], now: float) -> None:
        began = int(now // self._step) * self._step
        if not self._steps or self._steps[-1][0] != began:
            self._steps.append((began, {}))
        step, totals = self._steps[-1][1], self._totals
        for name, count in counts.items():
            step[name] = step.get(name, 0) + count
            totals[name] = totals.get(name, 0) + count


@dataclass(slots=True)
class Hold:
    since: float
    until: float
    is_quota: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """The ids that may not come now, with what the answer says of each."""

    throttled: dict[str, int] = field(default_factory=dict)
    over_quota: dict[str, int] = field(default_factory=dict)


FREE = Judgement()


@dataclass(frozen=True, slots=True)
class Limits:
    """`daily_quota` counts only ids in `flagged`: the ones Amplitude took for spammers
    (amplitude.md#per-user-limits).
    """

    events_per_second: int
    throttled_seconds: float = THROTTLED_SECONDS
    daily_quota: int | None = None
    flagged: frozenset[str] = frozenset()
    # Requests already under way when the 429 is answered are nobody's fault.
    in_flight_seconds: float = 0.5


class Throttle:
    """One kind of id (users, or devices) at one endpoint."""

    def __init__(self, place: str, limits: Limits, violations: Violations) -> None:
        self._place, self._limits, self._violations = place, limits, violations
        self._rate = Window(RATE_SPAN_SECONDS)
        self._quota = Window(QUOTA_SPAN_SECONDS, QUOTA_STEP_SECONDS)
        self._holds: dict[str, Hold] = {}

    def judge(
        self,
        counts: Mapping[str, int],
        now: float,
        throttled: Mapping[str, float | None],
        over_quota: Mapping[str, float | None],
    ) -> Judgement:
        """The ids that the whole request would put over a limit; they are held from now on."""
        self._rate.advance(now)
        self._notice_early(counts, now)
        limits = self._limits
        allowed = limits.events_per_second * RATE_SPAN_SECONDS
        for name, count in counts.items():
            if self._rate.total(name) + count > allowed:
                self._hold(name, now, limits.throttled_seconds)
        for name, seconds in throttled.items():
            if name in counts:
                self._hold(name, now, limits.throttled_seconds if seconds is None else seconds)
        if limits.daily_quota is not None:
            self._judge_quota(counts, now, over_quota, limits.daily_quota)
        if not self._holds:
            return FREE
        return self._held(counts)

    def count(self, counts: Mapping[str, int], now: float) -> None:
        """The request was accepted."""
        self._rate.add(counts, now)
        flagged = {name: counts[name] for name in self._limits.flagged if name in counts}
        if flagged:
            self._quota.add(flagged, now)

    def _notice_early(self, counts: Mapping[str, int], now: float) -> None:
        for name in [name for name, hold in self._holds.items() if hold.until <= now]:
            del self._holds[name]
        for name, hold in self._holds.items():
            if name in counts and now - hold.since > self._limits.in_flight_seconds:
                early = f"{hold.until - now:.1f} s before its time"
                self._violations.note(f"{self._place} {name!r} was held and came {early}")

    def _judge_quota(
        self,
        counts: Mapping[str, int],
        now: float,
        over_quota: Mapping[str, float | None],
        daily_quota: int,
    ) -> None:
        self._quota.advance(now)
        next_hour = (now // HOUR_SECONDS + 1) * HOUR_SECONDS - now
        for name in self._limits.flagged:
            if name in counts and self._quota.total(name) + counts[name] > daily_quota:
                self._hold(name, now, next_hour, is_quota=True)
        for name, seconds in over_quota.items():
            if name in counts:
                self._hold(name, now, next_hour if seconds is None else seconds, is_quota=True)

    def _hold(self, name: str, now: float, seconds: float, *, is_quota: bool = False) -> None:
        if name not in self._holds:  # An early repetition does not prolong the hold.
            self._holds[name] = Hold(now, now + seconds, is_quota)

    def _held(self, counts: Mapping[str, int]) -> Judgement:
        judgement = Judgement()
        limits = self._limits
        for name, hold in self._holds.items():
            if name not in counts:
                continue
            if hold.is_quota:
                count = self._quota.total(name) + counts[name]
                judgement.over_quota[name] = max(count, (limits.daily_quota or 0) + 1)
            else:
                rate = ceil((self._rate.total(name) + counts[name]) / RATE_SPAN_SECONDS)
                judgement.throttled[name] = max(rate, limits.events_per_second + 1)
        return judgement
