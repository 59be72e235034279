"""Overview: the way from sources to destinations, what waits and why, and the last hour."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from ampgate.console.desk import Visit, Visiting
from ampgate.console.drawing.graphs import Graph, Series, graph
from ampgate.console.drawing.picture import NARROW, WIDE, picture
from ampgate.console.figures import series
from ampgate.console.figures.destinations import RATE_LOOKS, destinations_of
from ampgate.console.figures.figures import Figures
from ampgate.console.figures.names import LETTERS_FAILING
from ampgate.console.pages.way import links_of, nodes_of
from ampgate.console.rendering import rendered
from ampgate.console.streams import message
from ampgate.console.words import Destination, Level, State, state_of

router = APIRouter()
REASONS = ("unread", "in_flight", "held", "parked")
QUIET_SECONDS = 15.0  # A stream that says nothing for longer is closed by proxies.
ROWS_MAX = 12  # Of more destinations, those that are up to date take less room.
ORDER = (Level.BAD, Level.WARN, Level.BUSY, Level.UNKNOWN, Level.GOOD)


@dataclass(frozen=True, slots=True)
class Row:
    """One destination, as the table shows it."""

    one: Destination
    state: State

    @property
    def shares(self) -> list[tuple[str, float, float]]:
        """Of what waits, by reason: where its part of a bar begins, and how wide it is, of 100."""
        waits, begin, found = self.one.waits, 0.0, []
        for reason in REASONS:
            if count := self.one.waiting.get(reason, 0):
                width = 100.0 * count / waits
                found.append((reason, begin, width))
                begin += width
        return found


@router.get("/")
async def show(visit: Visiting) -> Response:
    return visit.page("overview.html", overview_of(visit.figures, time.time()))


@router.get("/stream")
async def stream(visit: Visiting) -> Response:
    """The changing part of the page: at once, and after each look."""
    return StreamingResponse(_parts(visit), media_type="text/event-stream")


async def _parts(visit: Visit) -> AsyncIterator[str]:
    figures = visit.figures
    while visit.is_open:
        context = visit.frame(overview_of(figures, time.time()))
        yield message("part", rendered("overview_part.html", context))
        while not await _changes(figures) and visit.is_open:
            yield ": nothing new\n\n"


async def _changes(figures: Figures) -> bool:
    """Whether there was another look within a while."""
    try:
        async with asyncio.timeout(QUIET_SECONDS), figures.changed:
            return await figures.changed.wait()
    except TimeoutError:
        return False


def overview_of(figures: Figures, now: float) -> dict[str, object]:
    is_known = any(one.text and one.place.what == "delivery" for one in figures.heard)
    found = destinations_of(figures, now)
    rows = [Row(one, state_of(one, is_known=is_known)) for one in found]
    rows.sort(key=lambda row: (ORDER.index(row.state.level), -row.one.waits))
    is_long = len(rows) > ROWS_MAX
    calm = [row for row in rows if is_long and row.state.level is Level.GOOD]
    columns, links = nodes_of(figures, rows), links_of(figures)
    return {
        "rows": [row for row in rows if row not in calm],
        "calm": sorted(calm, key=lambda row: row.one.name),
        "count": len(rows),
        "summary": summary([row.state for row in rows]),
        "pictures": [
            ("wide", picture(columns, links, WIDE)),
            ("narrow", picture(columns, links, NARROW)),
        ],
        "failed_rate": figures.history.mean(series.FAILED, RATE_LOOKS) or 0.0,
        "letters_failing": any(
            value for (name, _), value in figures.totals.gauges.items() if name == LETTERS_FAILING
        ),
        "graphs": graphs_of(figures, now),
        "processes": figures.heard,
        "looked_at": figures.looked_at,
        "now": now,
    }


def summary(states: Sequence[State]) -> tuple[Level, str]:
    """The whole in one sentence."""
    if not states:
        return Level.UNKNOWN, "No destination is configured: nothing is delivered."
    bad = [one for one in states if one.level is Level.BAD]
    warn = [one for one in states if one.level is Level.WARN]
    if bad or warn:
        named = bad or warn
        verb = "needs" if len(named) == 1 else "need"
        return named[0].level, f"{len(named)} of {len(states)} destinations {verb} attention."
    if all(one.level is Level.UNKNOWN for one in states):
        return Level.UNKNOWN, "No delivery process could be asked."
    return Level.GOOD, f"All {len(states)} destinations take what comes."


def graphs_of(figures: Figures, now: float) -> list[Graph]:
    points = figures.history.points
    accepted = Series("accepted", "first", points(series.ACCEPTED))
    rejected = Series("rejected", "bad", points(series.REJECTED))
    delivered = Series("delivered", "first", points(series.DELIVERED))
    dead = Series("dead", "bad", points(series.DEAD))
    waiting = Series("waiting", "second", points(series.WAITS))
    return [
        graph("Accepted by the edges, a second", [accepted, rejected], now),
        graph("Settled by the deliveries, a second", [delivered, dead], now),
        graph("Records that wait", [waiting], now),
    ]
