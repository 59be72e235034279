"""Dead letters: groups with their trend, single letters, and the plan of a replay."""

import heapq
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from ampgate.archive.archive import archive
from ampgate.cli.moments import write_moment
from ampgate.console.desk import Visit, Visiting
from ampgate.console.offending import offending_paths
from ampgate.console.runs import Asked
from ampgate.console.times import asked_moment, asked_rate, planned_at, planned_total
from ampgate.console.values import Shown, in_a_line, shown
from ampgate.errors import CommandError
from ampgate.resend import dead_letters, letter_replay
from ampgate.resend.dead_letters import Filter, Group, Letter
from ampgate.resend.parking import EDGE, Run, replayed_times
from ampgate.resend.turn import turn
from ampgate.resend.writer import Writer
from schemas.configuration.config import Config
from schemas.letters import Origin
from schemas.records import Stored

router = APIRouter()
log = structlog.get_logger()
FIELDS = ("destination", "reason", "origin", "since", "until")
LETTERS_MAX = 100  # The newest of a group.
TREND_HOURS = 24


@dataclass(slots=True)
class Summary:
    """All groups that were asked for, and the newest letters of them."""

    groups: dict[tuple[str, str], Group] = field(default_factory=dict)
    _newest: list[tuple[int, int, Letter]] = field(default_factory=list)
    _count: int = 0

    def take(self, letter: Stored, destination: str, was_replayed: bool) -> None:
        dead_letters.add_to(self.groups, letter, destination, was_replayed)
        self._count += 1
        one = dead_letters.as_letter(letter, destination, was_replayed)
        entry = (letter.timestamp, self._count, one)
        if len(self._newest) < LETTERS_MAX:
            heapq.heappush(self._newest, entry)
        else:
            heapq.heappushpop(self._newest, entry)

    @property
    def newest(self) -> list[Letter]:
        return [one for *_, one in sorted(self._newest, reverse=True)]

    @property
    def ordered(self) -> list[Group]:
        """The group that died last first."""
        return sorted(self.groups.values(), key=lambda one: one.last, reverse=True)


@dataclass(frozen=True, slots=True)
class Opened:
    """One letter, whole."""

    letter: Stored
    headers: Sequence[tuple[str, str]]
    detail: str
    key: str
    value: Shown
    is_marked: bool
    died_again: bool
    event: str  # Where its record is, if it came from a topic.


def trend(group: Group, now: float) -> list[tuple[float, float]]:
    """Of each of the last hours, where its bar begins and how high it is, of 1."""
    last = int(now * 1000) // dead_letters.HOUR_MS
    counts = [group.hours[last - back] for back in range(TREND_HOURS - 1, -1, -1)]
    most = max(*counts, 1)
    return [(number, count / most) for number, count in enumerate(counts)]


def chosen_of(asked: Mapping[str, str]) -> Filter:
    return Filter(
        asked.get("destination") or None,
        asked.get("reason") or None,
        asked.get("origin") or None,
        asked_moment(asked.get("since", "")),
        asked_moment(asked.get("until", "")),
    )


def link_to(path: str, asked: Mapping[str, str]) -> str:
    given = {name: asked[name] for name in FIELDS if asked.get(name)}
    return f"{path}?{urlencode(given)}" if given else path


@router.get("/dead-letters")
async def show(visit: Visiting) -> Response:
    asked = {name: visit.query(name) for name in FIELDS}
    chosen = chosen_of(asked)

    async def find() -> Mapping[str, object]:
        found = Summary()
        await dead_letters.search(visit.config, chosen, found.take)
        now = time.time()
        return {
            "groups": [(group, trend(group, now)) for group in found.ordered],
            "letters": found.newest,
            "replay_all": link_to("/dead-letters/replay", asked),
            "limit": LETTERS_MAX,
        }

    names = [one.name for one in visit.config.destinations]
    context = {"asked": asked, "names": [*names, EDGE], "link_to": link_to}
    return visit.searched("letters.html", "letters_part.html", context, find)


@router.get("/dead-letters/letter")
async def letter(visit: Visiting) -> Response:
    origin = visit.query("origin")

    async def find() -> Mapping[str, object]:
        found = await dead_letters.show(visit.config, origin)
        if not found:
            raise CommandError(f"no dead letter is of {origin}; it may have expired")
        opened = [opened_of(visit.config, one) for one in reversed(found)]
        return {"opened": opened, "replay": link_to("/dead-letters/replay", {"origin": origin})}

    return visit.searched("letter.html", "letter_part.html", {"origin": origin}, find)


def opened_of(config: Config, one: Stored) -> Opened:
    value = shown(one.value, offending_paths(one, config.kafka.topics))
    origin = Origin.parse(one.header("origin") or "")
    headers = [(name, in_a_line(given)) for name, given in one.headers if name != "detail"]
    return Opened(
        one,
        headers,
        one.header("detail") or "",
        in_a_line(one.key),
        value,
        any(is_marked for _, is_marked in value.pieces),
        replayed_times(one) > 0,
        "" if origin is None else f"/events/{origin}",
    )


@router.get("/dead-letters/replay")
async def plan(visit: Visiting) -> Response:
    """What a replay would do; nothing is written."""
    asked = {name: visit.query(name) for name in FIELDS}
    force = bool(visit.query("force"))
    chosen = chosen_of(asked)
    # Times such as 2h are those of the plan, also when it is confirmed later.
    times = (("since", chosen.since_ms), ("until", chosen.until_ms))
    asked |= {name: write_moment(ms) for name, ms in times if ms is not None}

    async def find() -> Mapping[str, object]:
        async with archive(visit.config.kafka) as kafka:
            prepared = await letter_replay.prepare(visit.config, kafka, chosen, force=force)
            planned = await prepared.plan(kafka)
        at = write_moment(time.time_ns() // 1_000_000)
        return {"plan": planned, "at": at, "asked": {**asked, "force": "1" if force else ""}}

    context = {"what": in_words(asked), "asked": asked, "force": force, "link_to": link_to}
    return visit.searched("letters_plan.html", "letters_plan_part.html", context, find)


@router.post("/dead-letters/replay")
async def start(visit: Visiting) -> Response:
    said = await visit.form()
    chosen, force = chosen_of(said), bool(said.get("force"))
    run, total = Run(visit.config.kafka.topics.parked, planned_at(said)), planned_total(said)
    what, rate = in_words(said), asked_rate(said)
    again = link_to("/dead-letters/replay", said)
    work = partial(_send, visit, chosen, run, force)
    visit.desk.runs.start(Asked(run.at, what, total, again, rate), visit.session, work)
    told = {"chosen": what, "force": force, "planned": total, "rate": rate}
    visit.audit("replay of dead letters", run=run.at, **told)
    return RedirectResponse(f"/replays/{run.at}", 303)


async def _send(visit: Visit, chosen: Filter, run: Run, force: bool, writing: Writer) -> None:
    def say(words: str) -> None:
        log.warning("console replay is not alone", run=run.at, why=words)

    async with archive(visit.config.kafka) as kafka, turn(visit.config.kafka, kafka, say):
        prepared = await letter_replay.prepare(visit.config, kafka, chosen, force=force)
        await prepared.send(kafka, run, writing)


def in_words(asked: Mapping[str, str]) -> str:
    """What was chosen, in a sentence."""
    parts = [
        f"{word} {asked[name]}"
        for name, word in (
            ("origin", "of"),
            ("reason", "with the reason"),
            ("destination", "at"),
            ("since", "since"),
            ("until", "before"),
        )
        if asked.get(name)
    ]
    return " ".join(["dead letters" if parts else "all dead letters", *parts])
