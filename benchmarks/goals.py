"""What the figures ought to be, and whether they are. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.row import Row

SINGLE = "edge, one event a request"
BATCH = "edge, 100 events a request"
PACED = "edge, 100 events a request, at 80 % of saturation"
AMPLITUDE = "delivery to Amplitude, no gzip"
AMPLITUDE_GZIP = "delivery to Amplitude, gzip"
AAMPE = "delivery to Aampe"


@dataclass(frozen=True, slots=True)
class Verdict:
    row: str
    goal: str
    measured: str
    reached: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """So many µs an event at most or, on a slower machine, so many times the reference's."""

    microseconds: float
    ratio: float

    def verdict(self, row: Row) -> Verdict:
        cost, ratio = row.microseconds_per_event, row.ratio
        times = "" if ratio is None else f", {ratio:g} times"
        return Verdict(
            row.name,
            f"≤ {self.microseconds:g} µs/event, or {self.ratio:g} times the reference",
            f"{cost:g} µs{times}",
            cost <= self.microseconds or (ratio is not None and ratio <= self.ratio),
        )


@dataclass(frozen=True, slots=True)
class Latency:
    p99_ms: float

    def verdict(self, row: Row) -> Verdict:
        assert row.p99_ms is not None, f"{row.name} has no latency"
        goal = f"p99 < {self.p99_ms:g} ms"
        return Verdict(row.name, goal, f"{row.p99_ms:g} ms", row.p99_ms < self.p99_ms)


@dataclass(frozen=True, slots=True)
class Memory:
    rss_megabytes: float

    def verdict(self, row: Row) -> Verdict:
        held = row.rss_megabytes
        goal = f"RSS ≤ {self.rss_megabytes:g} MB"
        return Verdict(row.name, goal, f"{held:g} MB", held <= self.rss_megabytes)


@dataclass(frozen=True, slots=True)
class Throughput:
    events_per_second_a_core: int

    def verdict(self, row: Row) -> Verdict:
        rate = row.events_per_second_a_core
        goal = f"≥ {self.events_per_second_a_core:,} events/s a core"
        return Verdict(row.name, goal, f"{rate:,}", rate >= self.events_per_second_a_core)


Goal = Cost | Latency | Memory | Throughput

GOALS: Sequence[tuple[str, Goal]] = (
    (SINGLE, Cost(70, 2.0)),
    (BATCH, Cost(6, 3.0)),
    (PACED, Latency(50)),
    (AMPLITUDE, Cost(5, 6.0)),
    (AMPLITUDE, Memory(200)),
    (AMPLITUDE_GZIP, Cost(5, 6.0)),
    (AMPLITUDE_GZIP, Memory(200)),
    (AAMPE, Cost(60, 1.7)),
    (AAMPE, Throughput(12_000)),
)


def verdicts(rows: Iterable[Row]) -> list[Verdict]:
    """Each goal's, of the rows that there are."""
    by_name = {row.name: row for row in rows}
    return [goal.verdict(by_name[name]) for name, goal in GOALS if name in by_name]
