"""One destination: its state, its last hour, and how far it is in each partition."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from ampgate.console.desk import RefusedError, Visiting
from ampgate.console.drawing.graphs import Series, graph
from ampgate.console.figures import series
from ampgate.console.figures.destinations import destinations_of
from ampgate.console.figures.figures import Figures
from ampgate.console.figures.names import REQUESTS
from ampgate.console.pages.overview import Row
from ampgate.console.words import state_of

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Lag:
    """Of one topic: of each partition how many records are not settled, and how high its bar is."""

    topic: str
    total: int
    bars: list[tuple[int, int, float]]


@router.get("/destinations/{name}")
async def show(visit: Visiting, name: str) -> Response:
    figures, now = visit.figures, time.time()
    found = next((one for one in destinations_of(figures, now) if one.name == name), None)
    if found is None:
        raise RefusedError("No destination of that name is configured.", 404)
    points = figures.history.points
    delivered = Series("delivered", "first", points(series.of(series.DELIVERED, name)))
    dead = Series("dead", "bad", points(series.of(series.DEAD, name)))
    waiting = Series("waiting", "second", points(series.of(series.WAITS, name)))
    context = {
        "row": Row(found, state_of(found)),
        "graphs": [
            graph("Settled, a second", [delivered, dead], now),
            graph("Records that wait", [waiting], now),
        ],
        "lags": lags_of(figures, name),
        "requests": requests_of(figures, name),
        "now": now,
    }
    return visit.page("destination.html", context)


def lags_of(figures: Figures, name: str) -> list[Lag]:
    by_topic: dict[str, dict[int, int]] = {}
    for one in figures.lag_of(name):
        partition = int(one.label("partition") or 0)
        by_topic.setdefault(one.label("topic"), {})[partition] = int(one.value)
    return [lag_in(topic, found) for topic, found in sorted(by_topic.items())]


def lag_in(topic: str, found: Mapping[int, int]) -> Lag:
    most = max(*found.values(), 1)
    bars = [(number, found[number], found[number] / most) for number in sorted(found)]
    return Lag(topic, sum(found.values()), bars)


def requests_of(figures: Figures, name: str) -> list[tuple[str, str, int]]:
    """Endpoint, status, and how many since its processes began; the most first."""
    found: dict[tuple[str, str], int] = {}
    for (metric, labels), value in figures.totals.counted.items():
        named = dict(labels)
        if metric == REQUESTS and named["destination"] == name:
            found[named["endpoint"], named["status"]] = int(value)
    return [(*key, count) for key, count in sorted(found.items(), key=lambda one: -one[1])]
