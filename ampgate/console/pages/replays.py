"""Replays: those that Kafka has records of, a plan of another one, and its progress."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response, StreamingResponse

from ampgate.archive.archive import Archive, archive
from ampgate.cli.moments import read_moment, write_moment
from ampgate.console.desk import RefusedError, Visit, Visiting
from ampgate.console.rendering import rendered
from ampgate.console.runs import Asked, Started
from ampgate.console.streams import message
from ampgate.console.times import asked_moment, asked_rate, planned_at, planned_total
from ampgate.errors import CommandError
from ampgate.resend import replay as replaying
from ampgate.resend.parking import Run
from ampgate.resend.replay import Chosen
from ampgate.resend.runs import Run as Seen
from ampgate.resend.runs import runs_of
from ampgate.resend.writer import Writer
from schemas.configuration.config import ConfigError
from schemas.vendors import vendor_of
from schemas.vendors.vendor import ConfiguredDestination

router = APIRouter()
FIELDS = ("destination", "from", "to", "user", "event_type", "resume")
TICK_SECONDS = 1.0
LOOKING_SHARE = 4
SETTLED_SECONDS = 600.0  # How long a page follows what becomes of the records.


@router.get("/replays")
async def show(visit: Visiting) -> Response:
    async def find() -> Mapping[str, object]:
        return {"seen": await runs_of(visit.config)}

    context = {
        "asked": {name: visit.query(name) for name in FIELDS},
        "names": [one.name for one in visit.config.destinations],
        "started": list(visit.desk.runs.all.values()),
    }
    return visit.searched("replays.html", "replays_part.html", context, find)


def asked_of(visit: Visit, asked: Mapping[str, str]) -> tuple[ConfiguredDestination, Chosen]:
    name = asked.get("destination", "")
    found = next((one for one in visit.config.destinations if one.name == name), None)
    # A run that goes on has the records that it had: its 2h ago were before it began.
    begun = asked_moment(asked.get("resume", ""))
    begin, end = (asked_moment(asked.get(name, ""), begun) for name in ("from", "to"))
    if found is None:
        raise RefusedError("Choose the destination that gets the records again.", 400)
    if begin is None or end is None or begin >= end:
        raise RefusedError("Choose a time: From is before To.", 400)
    return found, Chosen(begin, end, asked.get("user") or None, asked.get("event_type") or None)


@router.get("/replays/plan")
async def plan(visit: Visiting) -> Response:
    asked = {name: visit.query(name) for name in FIELDS}
    destination, chosen = asked_of(visit, asked)
    # Times such as 2h are those of the plan, also when it is confirmed later.
    asked |= {"from": write_moment(chosen.from_ms), "to": write_moment(chosen.to_ms)}
    resumed = resumed_of(visit, asked)
    asked["resume"] = "" if resumed is None else resumed.at

    async def find() -> Mapping[str, object]:
        now_ms = time.time_ns() // 1_000_000
        async with archive(visit.config.kafka) as kafka:
            prepared = await prepare(visit, destination, kafka, chosen, resumed)
            planned = await prepared.plan(kafka, now_ms)
        return {
            "plan": planned,
            "at": write_moment(now_ms),
            "dedupe_days": prepared.dedupe_days,
            "title": vendor_of(destination).title,
        }

    context = {"asked": asked, "what": in_words(asked)}
    return visit.searched("replay_plan.html", "replay_plan_part.html", context, find)


@router.post("/replays")
async def start(visit: Visiting) -> Response:
    said = await visit.form()
    destination, chosen = asked_of(visit, said)
    planned, resumed = (
        Run(visit.config.kafka.topics.parked, planned_at(said)),
        resumed_of(visit, said),
    )
    run = resumed or planned
    given = {name: said[name] for name in FIELDS if said.get(name)} | {"resume": run.at}
    what, rate = in_words(said), asked_rate(said)
    asked = Asked(run.at, what, planned_total(said), f"/replays/plan?{urlencode(given)}", rate)
    work = partial(_send, visit, destination, chosen, run, resumed)
    is_resumed = resumed is not None
    visit.desk.runs.start(asked, visit.session, work, is_resumed=is_resumed)
    visit.audit(
        "replay", run=run.at, chosen=what, planned=asked.total, rate=rate, resumed=is_resumed
    )
    return RedirectResponse(f"/replays/{run.at}", 303)


def resumed_of(visit: Visit, asked: Mapping[str, str]) -> Run | None:
    """The interrupted run that is to go on, by its name: what it has sent is not sent again."""
    at = asked_moment(asked.get("resume", ""))
    return None if at is None else Run(visit.config.kafka.topics.parked, at)


async def prepare(
    visit: Visit,
    destination: ConfiguredDestination,
    kafka: Archive,
    chosen: Chosen,
    resumed: Run | None,
) -> replaying.Replay:
    name = None if resumed is None else resumed.at
    try:
        return await replaying.prepare(visit.config, destination, kafka, chosen, resumed=name)
    except replaying.UnknownRunError as error:
        raise CommandError(str(error)) from error


async def _send(
    visit: Visit,
    destination: ConfiguredDestination,
    chosen: Chosen,
    run: Run,
    resumed: Run | None,
    writing: Writer,
) -> None:
    async with archive(visit.config.kafka) as kafka:
        prepared = await prepare(visit, destination, kafka, chosen, resumed)
        await prepared.send(kafka, run, writing)


def in_words(asked: Mapping[str, str]) -> str:
    more = [
        f"{word} {asked[name]}"
        for name, word in (("user", "of"), ("event_type", "of the type"))
        if asked.get(name)
    ]
    words = ["records", *more, f"from {asked['from']} to {asked['to']}"]
    return f"{' '.join(words)}, to {asked['destination']}"


@router.get("/replays/{at}")
async def follow(visit: Visiting, at: str) -> Response:
    try:
        at = write_moment(read_moment(at, 0))
    except ValueError as error:
        raise RefusedError("That is no replay.", 404) from error
    started = visit.desk.runs.all.get(at)

    async def find() -> Mapping[str, object]:
        return {"seen": await runs_of(visit.config, at=at)}

    if started is None:
        return visit.searched("run.html", "run_part.html", {"at": at, "started": None}, find)
    return visit.page(
        "run.html", {"at": at, "started": started, "seen": [], "mark": "", "trouble": ""}
    )


@router.get("/replays/{at}/stream")
async def stream(visit: Visiting, at: str) -> Response:
    """Its progress, and then what becomes of its records, until all are settled."""
    started = visit.desk.runs.all.get(at)
    if started is None:
        raise RefusedError("That replay was not started here.", 404)
    return StreamingResponse(_progress(visit, started), media_type="text/event-stream")


async def _progress(visit: Visit, started: Started) -> AsyncIterator[str]:
    ended, seen, trouble = time.monotonic(), list[Seen](), ""
    while visit.is_open:
        looked_at = time.monotonic()
        if started.state == "running":
            ended = looked_at
        else:
            try:
                seen, trouble = await runs_of(visit.config, at=started.at), ""
            except (CommandError, ConfigError) as error:
                trouble = str(error)
        context = visit.frame({"at": started.at, "started": started, "seen": seen})
        yield message("part", rendered("run_part.html", {**context, "trouble": trouble}))
        is_settled = started.state != "running" and not any(run.waiting for run in seen)
        if (is_settled and not trouble) or looked_at - ended > SETTLED_SECONDS:
            yield message("done", "")
            return
        # Many records take long to look at, and many may follow them.
        await asyncio.sleep(max(TICK_SECONDS, LOOKING_SHARE * (time.monotonic() - looked_at)))
