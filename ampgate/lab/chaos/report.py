"""How far a run is, and what it did and found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ampgate.check.finding import Finding


@dataclass(slots=True)
class Progress:
    """How far a run is."""

    say: Callable[[str], None]
    on_change: Callable[[str, int], None]
    phase: str = ""
    acknowledged: int = 0

    def enter(self, phase: str) -> None:
        self.phase = phase
        self.on_change(phase, self.acknowledged)

    def acknowledge(self, events: int) -> None:
        self.acknowledged += events
        self.on_change(self.phase, self.acknowledged)


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that was broken: when, and how long until it worked again."""

    at: float
    did: str
    took: float


@dataclass(frozen=True, slots=True)
class Report:
    done: Sequence[Done]
    findings: Sequence[Finding]
    events: int
    retries: int
    longest_wait: float
    logs: Path | None  # Kept when something is wrong.
