"""The gauges of all workers of a destination, which no metric tells apart."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from schemas.topics import Kind


@dataclass(slots=True)
class Level:
    """The gauges of one worker."""

    waiting: Mapping[str, int] = field(default_factory=dict)  # Waiting records, by reason.
    oldest_seconds: float = 0.0
    concurrency: int = 0
    paused: str | None = None
    paused_since: float = 0.0


class Levels:
    """Those of every destination: it has a worker for each kind."""

    def __init__(self) -> None:
        self._levels: dict[str, dict[Kind, Level]] = {}
        self._reasons: dict[str, set[str]] = {}

    def of(self, destination: str, kind: Kind) -> Level:
        return self._levels.setdefault(destination, {}).setdefault(kind, Level())

    def all_of(self, destination: str) -> Collection[Level]:
        return self._levels[destination].values()

    def paused(self, destination: str) -> set[str]:
        return {level.paused for level in self.all_of(destination) if level.paused is not None}

    def reasons(self, destination: str) -> set[str]:
        """All reasons of pauses so far: a gauge that is not set keeps its last value."""
        reasons = self._reasons.setdefault(destination, set())
        reasons |= self.paused(destination)
        return reasons
