"""Events: where is it, for each destination; one event with its history, raw and as sent."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from ampgate.archive.archive import archive
from ampgate.console.desk import RefusedError, Visiting
from ampgate.console.times import asked_moment
from ampgate.console.values import Shown, in_a_line, shown
from ampgate.errors import CommandError
from ampgate.resend.parking import EDGE
from ampgate.trace import trace as tracing
from ampgate.trace.steps import Step, steps_of
from ampgate.trace.whereabouts import State, Whereabouts
from consumers.delivery import border
from consumers.delivery.destination import Encoded
from consumers.delivery.outcomes import Reject
from consumers.destinations import destinations_in
from consumers.transform_times import Timed
from schemas.configuration.config import Config
from schemas.records import Stored, source_of
from schemas.topics import Kind

router = APIRouter()
SHOWN_MAX = 100  # Records; the newest.
SOUGHT_MAX = 2_048
NAMES_MAX = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One record, and its state for each destination."""

    first: Whereabouts
    lines: Sequence[Whereabouts]

    @property
    def href(self) -> str:
        place = f"{self.first.topic}/{self.first.partition}/{self.first.offset}"
        # What the edge refused is a letter only.
        is_letter = self.first.destination == EDGE
        return f"/dead-letters/letter?origin={place}" if is_letter else f"/events/{place}"

    @property
    def groups(self) -> list[tuple[Whereabouts, str]]:
        """By state and reason: one line of each, and the destinations; what is not done first."""
        found: dict[tuple[str, str | None, str | None], list[Whereabouts]] = {}
        for line in self.lines:
            found.setdefault((line.state, line.reason, line.until), []).append(line)
        together = [(some[0], listed([one.destination for one in some])) for some in found.values()]
        return sorted(together, key=lambda one: one[0].state is State.DELIVERED)


@dataclass(frozen=True, slots=True)
class Way:
    """A record on its way to one destination: what happened, and the bytes that are sent."""

    line: Whereabouts
    steps: Sequence[Step]
    sent: Shown | None
    path: str
    left_out: str


@router.get("/events")
async def search(visit: Visiting) -> Response:
    # As it was typed: an id may begin or end with a space.
    sought = visit.request.query_params.get("q", "")
    by, since = visit.query("by") or "any", visit.query("since")
    everywhere = bool(visit.query("everywhere"))
    if len(sought) > SOUGHT_MAX:
        raise RefusedError(f"An id has at most {SOUGHT_MAX:,} characters.", 400)
    context = {"q": sought, "by": by, "since": since, "everywhere": everywhere}
    if not sought.strip():
        return visit.page("events.html", {**context, "mark": None})
    since_ms = asked_moment(since)

    async def find() -> Mapping[str, object]:
        unread: Sequence[Stored] = ()
        for one in ways_to_ask(sought, by, everywhere=everywhere):
            found = await tracing.look(visit.config, tracing.Search(one, since_ms, SHOWN_MAX))
            if found.lines:
                return {"rows": rows_of(found.lines), "limit": SHOWN_MAX}
            unread = unread or found.records[:1]
        return {"rows": [], "unread": unread}

    return visit.searched("events.html", "events_part.html", context, find)


def listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more


def ways_to_ask(sought: str, by: str, *, everywhere: bool) -> list[tracing.Sought]:
    """A user's records are in one partition, so these are looked for first."""
    names = dict.fromkeys([sought, sought.strip()])
    users: list[tracing.Sought] = [tracing.ByUser(name, everywhere) for name in names]
    insert_ids: list[tracing.Sought] = [tracing.ByInsertId(name) for name in names]
    return {"user": users, "insert_id": insert_ids}.get(by, [*users, *insert_ids])


def rows_of(lines: Sequence[Whereabouts]) -> list[Row]:
    """By record, the newest first."""
    found: dict[tuple[str, int, int], list[Whereabouts]] = {}
    for line in lines:
        found.setdefault((line.topic, line.partition, line.offset), []).append(line)
    rows = [Row(some[0], some) for some in found.values()]
    return sorted(rows, key=lambda row: (row.first.time, row.first.offset), reverse=True)


def placed(
    topic: str, partition: Annotated[int, Path(ge=0)], offset: Annotated[int, Path(ge=0)]
) -> tracing.ByPlace:
    return tracing.ByPlace(topic, partition, offset)


Placed = Annotated[tracing.ByPlace, Depends(placed)]


@router.get("/events/{topic}/{partition}/{offset}")
async def show(visit: Visiting, place: Placed) -> Response:
    async def find() -> Mapping[str, object]:
        record, found = await record_at(visit.config, place), tracing.Found([], [], [], [])
        if place.topic in map(visit.config.kafka.topics.of, Kind):
            found = await tracing.look(visit.config, tracing.Search(place))
            record = record or next(iter(found.records), None)  # A letter may have it still.
        if record is None:
            raise CommandError(f"{place} is not there, or Kafka's retention has deleted it")
        return {
            "record": record,
            "value": await asyncio.to_thread(shown, record.value),
            "key": in_a_line(record.key),
            "source": source_of(record),
            "headers": [(name, in_a_line(value)) for name, value in record.headers],
            "ways": ways_of(visit.config, record, found),
        }

    context = {"place": str(place)}
    return visit.searched("record.html", "record_part.html", context, find)


@router.get("/events/{topic}/{partition}/{offset}/value")
async def value(visit: Visiting, place: Placed) -> Response:
    """The exact bytes, to be saved: no browser shows them as a page."""
    record = await record_at(visit.config, place)
    if record is None:
        raise RefusedError(f"{place} is not there, or Kafka's retention has deleted it.", 404)
    name = f"{place.topic}-{place.partition}-{place.offset}"
    headers = {"content-disposition": f'attachment; filename="{name}.bin"'}
    return Response(record.value or b"", media_type="application/octet-stream", headers=headers)


async def record_at(config: Config, place: tracing.ByPlace) -> Stored | None:
    if place.topic not in config.kafka.topics.lasting:
        return None
    async with archive(config.kafka) as kafka:
        return await kafka.at(place.topic, place.partition, place.offset)


def ways_of(config: Config, record: Stored, found: tracing.Found) -> list[Way]:
    """One for each destination that reads its topic."""
    parts = {
        part.name: part
        for one in config.destinations
        for part in destinations_in(config, one, Timed)
        if config.kafka.topics.of(part.kind) == record.topic
    }
    ways = []
    for line in found.lines:
        own = [
            [one for one in some if _is_of(one, record, line.destination)]
            for some in (found.letters, found.parked)
        ]
        sent, path, left_out = None, "", ""
        if (part := parts.get(line.destination)) is not None:
            match border.encode(part, record):
                case Encoded() as encoded:
                    sent, path = shown(encoded.body), encoded.path
                case Reject(reason, detail):
                    left_out = f"{reason}{': ' + detail if detail else ''}"
                case other:
                    left_out = other.reason
        ways.append(Way(line, steps_of(record, line, *own), sent, path, left_out))
    return ways


def _is_of(trace: Stored, record: Stored, destination: str) -> bool:
    return trace.header("origin") == record.origin and trace.header("destination") == destination
