"""The figures of one round, the median of several, and how two things compare. Pure."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

ROUNDS = 3
HEADLINE_ROUNDS = 5
BEFORE = ", before"
GO = ", Go"  # The compiled reference's row of the same name.


@dataclass(frozen=True, slots=True)
class Figures:
    """What one round of one kind of work cost.

    `p99_ms` only where there are requests to wait for. `other_end_busy` is the share of a core that
    the load's generator or the sink used meanwhile.
    """

    microseconds_per_event: float
    events: int
    seconds: float
    rss_megabytes: float
    other_end_busy: float
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The median of each figure. `ratio` is that of the CPU to `ratio_to`'s, in the same rounds,
    and `ratio_go` that to the compiled reference's for the same load.
    """

    name: str
    microseconds_per_event: float
    rounds: tuple[float, ...]
    ratio: float | None
    ratio_to: str | None
    ratio_go: float | None
    events: int
    seconds: float
    events_per_second: int
    events_per_second_a_core: int
    other_end_busy: float
    p99_ms: float | None
    rss_megabytes: float


Round = Callable[[], Figures]
Rounds = Mapping[str, Sequence[Figures]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows are measured: those with a match of the pattern in their name."""

    pattern: re.Pattern[str]

    def of(self, subjects: Mapping[str, Round]) -> dict[str, Round]:
        return {name: one for name, one in subjects.items() if self.pattern.search(name)}


def in_turns(subjects: Mapping[str, Round], rounds: int = ROUNDS) -> dict[str, list[Figures]]:
    """Each subject once, then all once more: a busy minute hits them alike.

    One that fails has no row; the others are worth the time that they took.
    """
    found: dict[str, list[Figures]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name in list(found):
            try:
                found[name].append(subjects[name]())
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                print(f"not measured: {name}: {error!r}", file=sys.stderr)
                del found[name]
    return found


def row(name: str, found: Rounds, ratio_to: str | None = None) -> Row:
    """Rounded to what the clocks can tell."""
    rounds = found[name]
    cost = median(one.microseconds_per_event for one in rounds)
    events = round(median(one.events for one in rounds))
    seconds = median(one.seconds for one in rounds)
    latencies = [one.p99_ms for one in rounds if one.p99_ms is not None]
    return Row(
        name=name,
        microseconds_per_event=round(cost, 2),
        rounds=tuple(round(one.microseconds_per_event, 2) for one in rounds),
        ratio=None if ratio_to is None else round(ratio(rounds, found[ratio_to]), 2),
        ratio_to=ratio_to,
        ratio_go=round(ratio(rounds, found[name + GO]), 2) if name + GO in found else None,
        events=events,
        seconds=round(seconds, 2),
        events_per_second=round(median(one.events / one.seconds for one in rounds)),
        events_per_second_a_core=round(1e6 / cost),
        other_end_busy=round(median(one.other_end_busy for one in rounds), 2),
        p99_ms=round(median(latencies), 1) if latencies else None,
        rss_megabytes=round(median(one.rss_megabytes for one in rounds), 1),
    )


def ratio(ours: Sequence[Figures], others: Sequence[Figures]) -> float:
    """The median of each round's own ratio: the machine of one round is that of the other."""
    return median(
        a.microseconds_per_event / b.microseconds_per_event
        for a, b in zip(ours, others, strict=True)
    )


def rows_of(pairs: Iterable[tuple[str, str | None]], found: Rounds) -> list[Row]:
    """A row of each name that was measured, with its ratio to the other, if that was."""
    return [
        row(name, found, ratio_to=base if base in found and base != name else None)
        for name, base in pairs
        if name in found
    ]


def compared(names: Sequence[str], found: Rounds) -> list[Row]:
    """A row of each, all but the first with its ratio to the first."""
    return rows_of([(name, names[0]) for name in names], found)


def against(found: Rounds) -> list[Row]:
    """Each row that has one of the other checkout, with its ratio to that."""
    return rows_of([(name, name + BEFORE) for name in found if name + BEFORE in found], found)
