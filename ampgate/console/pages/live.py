"""Live: records as they come in, with filters; the browser shows a part of many."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from ampgate.archive import tail as tailing
from ampgate.cli.moments import write_moment
from ampgate.console.desk import Visit, Visiting
from ampgate.console.streams import message
from ampgate.console.values import in_a_line, visible
from ampgate.errors import CommandError
from ampgate.trace.whereabouts import identity_of
from schemas.records import Stored, source_of
from schemas.topics import Kind, Topics

router = APIRouter()
TICK_SECONDS = 0.25
QUIET_SECONDS = 10.0
ROWS_A_TICK = 25  # Nobody reads faster; the others are only counted.
VIEWERS_MAX = 8


@dataclass(slots=True)
class Tick:
    """What has come since the last message: how many, and the newest of them."""

    count: int = 0
    trouble: str = ""  # Why nothing comes, if Kafka is away.
    newest: deque[Stored] = field(default_factory=lambda: deque(maxlen=ROWS_A_TICK))

    def add(self, record: Stored) -> None:
        self.count += 1
        self.newest.append(record)

    def taken(self, *, is_ready: bool) -> str:
        """As JSON, and begin anew; nothing is missed once it is ready."""
        rows = [row_of(record) for record in self.newest]
        told = {"ready": is_ready, "trouble": self.trouble, "count": self.count, "rows": rows}
        said = json.dumps(told)
        self.count = 0
        self.newest.clear()
        return said


def row_of(record: Stored) -> dict[str, object]:
    """Text only: the page's script puts it into the page as text."""
    identity = identity_of(record.value)
    key = in_a_line(record.key)
    what = identity.event_type
    return {
        "time": write_moment(record.timestamp),
        "place": f"{record.topic}/{record.partition}/{record.offset}",
        "topic": record.topic,
        "source": visible(source_of(record)),
        "user": visible(str(identity.user_id or identity.device_id or key))[:200],
        "type": visible(what)[:200] if isinstance(what, str) else "",
        "value": in_a_line(record.value),
        "bytes": len(record.value or b""),
    }


def topics_of(topics: Topics) -> list[str]:
    """All that can be watched; the first three are at the beginning."""
    return [*map(topics.of, Kind), topics.dead_letters, topics.parked]


@router.get("/live")
async def show(visit: Visiting) -> Response:
    all_topics = topics_of(visit.config.kafka.topics)
    asked = visit.request.query_params.getlist("topic")
    context = {
        "topics": [(one, one in (asked or all_topics[: len(Kind)])) for one in all_topics],
        "prefix": visit.config.kafka.topic_prefix,
        "user": visit.query("user"),
        "event_type": visit.query("event_type"),
        "source": visit.query("source"),
        "query": visit.request.url.query,
    }
    return visit.page("live.html", context)


@router.get("/live/stream")
async def stream(visit: Visiting) -> Response:
    known = topics_of(visit.config.kafka.topics)
    asked = visit.request.query_params.getlist("topic")
    topics = [one for one in known if one in asked] or known[: len(Kind)]
    chosen = tailing.Filter(
        visit.query("user") or None,
        visit.query("event_type") or None,
        visit.query("source") or None,
    )
    return StreamingResponse(_messages(visit, topics, chosen), media_type="text/event-stream")


async def _messages(
    visit: Visit, topics: Sequence[str], chosen: tailing.Filter
) -> AsyncIterator[str]:
    desk = visit.desk
    if desk.watching >= VIEWERS_MAX:
        yield message("failed", f"{VIEWERS_MAX} others watch already: close one of their pages.")
        return
    desk.watching += 1
    tick, ready = Tick(), asyncio.Event()
    reading = asyncio.create_task(_read(visit, topics, chosen, tick, ready))
    sent_at, said = 0.0, (False, "")
    try:
        while visit.is_open:
            await asyncio.wait([reading], timeout=TICK_SECONDS)
            if reading.done():
                yield message("failed", str(reading.exception() or ""))
                return
            now = time.monotonic()
            standing = (ready.is_set(), tick.trouble)
            if tick.count or now - sent_at > QUIET_SECONDS or standing != said:
                sent_at, said = now, standing
                yield message("records", tick.taken(is_ready=ready.is_set()))
    finally:
        desk.watching -= 1
        reading.cancel()
        await asyncio.wait([reading])


async def _read(
    visit: Visit,
    topics: Sequence[str],
    chosen: tailing.Filter,
    tick: Tick,
    ready: asyncio.Event,
) -> None:
    def on_trouble(why: str) -> None:
        tick.trouble = why

    records = tailing.tail(visit.config.kafka, topics, chosen, ready.set, on_trouble)
    async with aclosing(records):
        async for record in records:
            tick.add(record)
    raise CommandError("the topics have ended")
