"""A graph of the last hour with its axes: where each line, label and tick is. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ampgate.console.figures.history import Point
from ampgate.console.words import short

HOUR = 3600.0
BUCKETS = 180  # A line of more points is not seen on any screen.
LEFT, RIGHT, TOP, BOTTOM = 44.0, 8.0, 10.0, 20.0
QUARTERS = 4

Place = Callable[[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    look: str  # A class of the style sheet.
    path: str
    last: float | None


@dataclass(frozen=True, slots=True)
class Graph:
    title: str
    width: float
    height: float
    lines: Sequence[Line]
    y_ticks: Sequence[tuple[float, str]]
    x_ticks: Sequence[tuple[float, float]]  # Where, and the time.
    left: float
    right: float
    bottom: float
    in_words: str


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    look: str
    points: Sequence[Point]


def graph(
    title: str, series: Sequence[Series], now: float, width: float = 460.0, height: float = 150.0
) -> Graph:
    """From an hour ago to now, and from 0 to a round number above all values."""
    values = [value for one in series for _, value in one.points if value is not None]
    top = round_above(max(values, default=0.0))
    right, bottom = width - RIGHT, height - BOTTOM

    def place(at: float, value: float) -> tuple[float, float]:
        x = LEFT + (right - LEFT) * (1 - (now - at) / HOUR)
        return max(LEFT, x), bottom - (bottom - TOP) * value / top

    lines = [
        Line(one.name, one.look, _path(one.points, place), _last(one.points)) for one in series
    ]
    ticks = [(place(now, top * part / 2)[1], short_tick(top * part / 2)) for part in range(3)]
    step = HOUR / QUARTERS
    first = math.floor(now / step) * step
    times = [first - step * back for back in range(QUARTERS - 1, -1, -1)]
    x_ticks = [(place(at, 0)[0], at) for at in times]
    return Graph(
        *(title, width, height, lines, ticks, x_ticks, LEFT, right, bottom),
        in_words=_in_words(title, lines, max(values, default=0.0)),
    )


def _in_words(title: str, lines: Sequence[Line], highest: float) -> str:
    now = ", ".join(
        f"{line.name} {'not known' if line.last is None else short_tick(line.last)}"
        for line in lines
    )
    return f"{title}, the last hour. Now: {now}. Highest: {short_tick(highest)}."


def _last(points: Sequence[Point]) -> float | None:
    return points[-1][1] if points else None


def _path(points: Sequence[Point], place: Place) -> str:
    """Means of as many points as can be seen; a gap where nothing is known."""
    if not points:
        return ""
    size = max(1, math.ceil(len(points) / BUCKETS))
    parts: list[str] = []
    is_gap = True
    for begin in range(0, len(points), size):
        bucket = points[begin : begin + size]
        known = [value for _, value in bucket if value is not None]
        if not known:
            is_gap = True
            continue
        x, y = place(bucket[-1][0], sum(known) / len(known))
        parts.append(f"{'M' if is_gap else 'L'}{x:.1f} {y:.1f}")
        is_gap = False
    return "".join(parts)


def round_above(value: float) -> float:
    """1, 2 or 5 times a power of ten, not below it."""
    if value <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= value)


def short_tick(value: float) -> str:
    return f"{value:.1f}" if 0 < value < 10 and value != int(value) else short(value)
