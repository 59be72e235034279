"""A row of the table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """What one kind of work cost; `p99_ms` only where there are requests to wait for."""

    name: str
    microseconds_per_event: float
    events: int
    seconds: float
    events_per_second: float
    p99_ms: float | None
    rss_megabytes: float


def row(
    name: str, *, cpu: float, events: int, seconds: float, rss: float, p99_ms: float | None = None
) -> Row:
    """Rounded to what the clocks can tell."""
    return Row(
        name,
        round(cpu / events * 1e6, 2),
        events,
        round(seconds, 2),
        round(events / seconds),
        None if p99_ms is None else round(p99_ms, 1),
        round(rss, 1),
    )
