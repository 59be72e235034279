"""The last hour, in memory: a value of each series at each look, the oldest forgotten. Pure."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

LOOKS_MAX = 720  # An hour, at a look every 5 s.
SERIES_MAX = 2_000

Point = tuple[float, float | None]


@dataclass(slots=True)
class History:
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=LOOKS_MAX))
    _series: dict[str, deque[float | None]] = field(default_factory=dict)

    def add(self, now: float, values: Mapping[str, float | None]) -> None:
        """One look; a series that is not in it has a gap there."""
        for name in values:
            if name not in self._series and len(self._series) < SERIES_MAX:
                gap: deque[float | None] = deque([None] * len(self._times), maxlen=LOOKS_MAX)
                self._series[name] = gap
        self._times.append(now)
        for name, series in self._series.items():
            series.append(values.get(name))
        self._series = {
            name: series
            for name, series in self._series.items()
            if name in values or any(value is not None for value in series)
        }

    def points(self, name: str, seconds: float = 3600.0) -> list[Point]:
        """Of the last so many seconds, the oldest first."""
        series = self._series.get(name)
        if series is None or not self._times:
            return []
        first = self._times[-1] - seconds
        found: list[Point] = []
        for at, value in zip(reversed(self._times), reversed(series), strict=True):
            if at < first:
                break
            found.append((at, value))
        return found[::-1]

    def last(self, name: str) -> float | None:
        series = self._series.get(name)
        return series[-1] if series else None

    def slope(self, name: str, seconds: float) -> float | None:
        """By how much it changes a second, over the last so many (least squares); None if it is
        not known for long enough."""
        known = [(at, value) for at, value in self.points(name, seconds) if value is not None]
        if len(known) < 3 or known[-1][0] - known[0][0] < seconds / 5:
            return None
        middle = sum(at for at, _ in known) / len(known)
        spread = sum((at - middle) ** 2 for at, _ in known)
        return sum((at - middle) * value for at, value in known) / spread

    def mean(self, name: str, looks: int) -> float | None:
        """Over the last looks that know it."""
        series = self._series.get(name, ())
        known = [one for one in islice(reversed(series), looks) if one is not None]
        return sum(known) / len(known) if known else None
