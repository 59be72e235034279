"""The figures for people to read."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Column, Table

from benchmarks.goals import Verdict
from benchmarks.row import Row
from benchmarks.worst import Worst

WIDTH = 140
BUSY = 0.8
FOOT = (
    "Each figure is the median of its rounds, each ratio the median of the rounds' own ratios."
    f"\n* The load's generator or the sink was busy ≥ {BUSY:.0%} of the time: events/s is its"
    " limit."
    "\nEvents/s a core is what the CPU of one event leaves room for."
)


def show(
    rows: Sequence[Row],
    scaling: Sequence[Row],
    against: Sequence[Row],
    verdicts: Iterable[Verdict],
    dearest: Sequence[Worst],
) -> None:
    console = Console(highlight=False, width=WIDTH)
    console.print(costs("CPU of the server process", {"to Go": "ratio"}, rows))
    both = {"to Go": "ratio_go", "to its base": "ratio"}
    console.print(costs("Scaling, and other loads", both, scaling))
    if against:
        console.print(costs("Against the other checkout", {"to it": "ratio"}, against))
    console.print(FOOT)
    if dearest:
        console.print(worst(dearest))
    console.print(goals(verdicts))


def costs(title: str, ratios: Mapping[str, str], rows: Iterable[Row]) -> Table:
    """`ratios` are their headings, and which of a row they are."""
    table = Table(Column(no_wrap=True), title=title)
    headings = ("µs/event", *ratios, "events", "s", "events/s", "a core", "p99 ms", "RSS MB")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        found: list[float | None] = [getattr(row, name) for name in ratios.values()]
        limited = "*" if row.other_end_busy >= BUSY else " "
        table.add_row(
            row.name,
            f"{row.microseconds_per_event:g}",
            *("" if ratio is None else f"{ratio:.2f}" for ratio in found),
            f"{row.events:,}",
            f"{row.seconds:g}",
            f"{row.events_per_second:,}{limited}",
            f"{row.events_per_second_a_core:,}",
            "" if row.p99_ms is None else f"{row.p99_ms:g}",
            f"{row.rss_megabytes:.0f}",
        )
    return table


def goals(verdicts: Iterable[Verdict]) -> Table:
    table = Table("", "goal", "measured", "reached", title="Goals")
    for verdict in verdicts:
        reached = "yes" if verdict.reached else "no"
        table.add_row(verdict.row, verdict.goal, verdict.measured, reached)
    return table


def worst(rows: Iterable[Worst]) -> Table:
    title = "The worst requests by encoding and dialect; times a legitimate one of the same length"
    table = Table(Column(no_wrap=True), "dearest", title=title)
    for heading in ("bytes", "µs/byte", "times", "memory/byte", "MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.name,
            row.request,
            f"{row.wire_bytes:,}",
            f"{row.microseconds_per_byte:g}",
            f"{row.ratio:g}",
            f"{row.memory_bytes_per_byte:g}",
            f"{row.memory_megabytes:g}",
        )
    return table
