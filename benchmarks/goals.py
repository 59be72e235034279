"""What the figures ought to be, and whether they are. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.row import GO, Row

SINGLE = "edge, one event a request"
BATCH = "edge, 100 events a request"
PACED = "edge, 100 events a request, at 80 % of saturation"
AMPLITUDE = "delivery to Amplitude, no gzip"
AMPLITUDE_GZIP = "delivery to Amplitude, gzip"
AAMPE = "delivery to Aampe"
PLAN = "plan, an event of 600 bytes held to it"
PLAN_LOADED = "plan of 2,000 types and 20,000 properties, loaded, a type"
BARE = "encode for Amplitude, the destination alone"
UNCHANGED = "encode for Amplitude, no plan and no transform"
SHAPED = "encode for Amplitude, "  # And what is configured.
PLANNED = SHAPED + "a plan"
REWRITTEN = ("rename", "drop_properties", "a trivial transform")  # Each reads and writes all JSON.
WORKERS = ", 2 workers"  # The row of the same name with two.


@dataclass(frozen=True, slots=True)
class Verdict:
    row: str
    goal: str
    measured: str
    reached: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """So many times the reference's CPU at most; without a reference, so many µs an event."""

    ratio: float
    microseconds: float

    def verdict(self, row: Row, _reference: Row | None) -> Verdict:
        cost, ratio = f"{row.microseconds_per_event:g} µs", row.ratio
        if ratio is None:
            reached = row.microseconds_per_event <= self.microseconds
            return Verdict(row.name, f"≤ {self.microseconds:g} µs/event", cost, reached)
        goal = f"≤ {self.ratio:g} times {row.ratio_to}"
        return Verdict(row.name, goal, f"{cost}, {ratio:g} times", ratio <= self.ratio)


@dataclass(frozen=True, slots=True)
class Latency:
    """The p99 at most, and so many times the reference's."""

    p99_ms: float
    ratio: float

    def verdict(self, row: Row, reference: Row | None) -> Verdict:
        assert row.p99_ms is not None, f"{row.name} has no latency"
        goal, measured = f"p99 < {self.p99_ms:g} ms", f"{row.p99_ms:g} ms"
        reached = row.p99_ms < self.p99_ms
        if reference is not None and reference.p99_ms:
            ratio = row.p99_ms / reference.p99_ms
            goal += f" and ≤ {self.ratio:g} times {reference.name}"
            measured += f", {ratio:.1f} times"
            reached = reached and ratio <= self.ratio
        return Verdict(row.name, goal, measured, reached)


@dataclass(frozen=True, slots=True)
class Memory:
    rss_megabytes: float

    def verdict(self, row: Row, _reference: Row | None) -> Verdict:
        held = row.rss_megabytes
        goal = f"RSS ≤ {self.rss_megabytes:g} MB"
        return Verdict(row.name, goal, f"{held:g} MB", held <= self.rss_megabytes)


@dataclass(frozen=True, slots=True)
class Throughput:
    events_per_second_a_core: int

    def verdict(self, row: Row, _reference: Row | None) -> Verdict:
        rate = row.events_per_second_a_core
        goal = f"≥ {self.events_per_second_a_core:,} events/s a core"
        return Verdict(row.name, goal, f"{rate:,}", rate >= self.events_per_second_a_core)


Goal = Cost | Latency | Memory | Throughput

GOALS: Sequence[tuple[str, Goal]] = (
    (SINGLE, Cost(2.0, 70)),
    (SINGLE + WORKERS, Cost(1.1, 77)),
    (BATCH, Cost(3.0, 6)),
    (BATCH + WORKERS, Cost(1.1, 6.6)),
    (PACED, Latency(50, 2.0)),
    (AMPLITUDE, Cost(4.0, 5)),
    (AMPLITUDE, Memory(200)),
    (AMPLITUDE_GZIP, Cost(4.0, 5)),
    (AMPLITUDE_GZIP, Memory(200)),
    (AAMPE, Cost(1.6, 60)),
    (AAMPE, Throughput(12_000)),
    (PLAN, Cost(0, 3)),  # It has no base, and no ratio.
    (PLAN_LOADED, Cost(0, 1_000)),
    (UNCHANGED, Cost(1.05, 2)),
    (PLANNED, Cost(4.0, 5)),
    *((SHAPED + name, Cost(12.0, 15)) for name in REWRITTEN),
)
TIMES_MAX = 1.5  # Other loads, of the row they are compared with.


def verdicts(rows: Iterable[Row], others: Iterable[Row] = ()) -> list[Verdict]:
    """Each goal's, of the rows that there are, and of other loads those that cost too much."""
    loads = list(others)
    by_name = {row.name: row for row in (*loads, *rows)}
    found = [
        goal.verdict(by_name[name], by_name.get(f"{name}{GO}"))
        for name, goal in GOALS
        if name in by_name
    ]
    judged = {verdict.row for verdict in found}
    of_loads = [
        of_load(row, by_name.get(row.ratio_to))
        for row in loads
        if row.name not in judged and row.ratio_to is not None and row.ratio is not None
    ]
    return found + [verdict for verdict in of_loads if not verdict.reached]


def of_load(row: Row, base: Row | None) -> Verdict:
    """Of a load that is compared with another one.

    Where the reference serves both, that of our ratios to it: how much larger the request is
    itself, it shows as well.
    """
    times = of_base(row, base)
    if times is None:
        assert row.ratio is not None, f"{row.name} is not compared"
        goal = f"≤ {TIMES_MAX:g} times its base"
        return Verdict(row.name, goal, f"{row.ratio:g} times", row.ratio <= TIMES_MAX)
    goal = f"≤ {TIMES_MAX:g} times its base's ratio to Go"
    measured = f"{row.ratio_go:g} times Go, {times:g} times its base's"
    return Verdict(row.name, goal, measured, times <= TIMES_MAX)


def of_base(row: Row, base: Row | None) -> float | None:
    """The ratio to the reference, to that of the base; None where one of them has none."""
    if base is None or row.ratio_go is None or base.ratio_go is None:
        return None
    return round(row.ratio_go / base.ratio_go, 2)
