"""Pulls, when each last worked, and why it does not; and what the last reconciliations found."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from ampgate.amplitude_read.projects import project_names
from ampgate.console.desk import Visiting
from ampgate.console.figures.figures import Figures
from ampgate.console.figures.names import (
    PULL_LAST_SUCCESS,
    PULL_PAUSED,
    PULL_RECORDS,
    PULL_RUNS,
)
from ampgate.console.reconciliations import read
from ampgate.console.words import Level, State, duration
from schemas.vendors import SYSTEMS

router = APIRouter()
LATE_TIMES = 3  # Periods without a whole run, as the alert AmpgatePullLate has it.


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    title: str
    every: float
    state: State
    last_success: float | None
    runs: Mapping[str, int]
    records: Mapping[str, int]


@router.get("/pulls")
async def show(visit: Visiting) -> Response:
    now = time.time()
    reconciled, troubles = await asyncio.to_thread(read, visit.config.console.reconciliations, now)
    context = {
        "rows": rows_of(visit.figures, now),
        "projects": project_names(visit.config),
        "reconciled": reconciled,
        "troubles": troubles,
    }
    return visit.page("pulls.html", context)


def rows_of(figures: Figures, now: float) -> list[Row]:
    rows = []
    totals = figures.totals
    for pull in figures.config.pulls:
        success = _labelled(totals.gauges, PULL_LAST_SUCCESS, pull.name, "pull")
        paused = _labelled(totals.gauges, PULL_PAUSED, pull.name, "reason")
        last = success.get(pull.name) or None
        reason = next((one for one, flag in paused.items() if flag), None)
        title = SYSTEMS[pull.type].title
        rows.append(
            Row(
                pull.name,
                title,
                pull.every,
                state_of(title, pull.name, pull.every, last, reason, bool(success or paused), now),
                last,
                _labelled(totals.counted, PULL_RUNS, pull.name, "outcome"),
                _labelled(totals.counted, PULL_RECORDS, pull.name, "outcome"),
            )
        )
    return rows


def state_of(
    title: str,
    name: str,
    every: float,
    last: float | None,
    paused: str | None,
    is_run: bool,
    now: float,
) -> State:
    """In a sentence; the reasons of a pause are those of the pulls' log."""
    if paused is not None:
        status = paused.removeprefix("status_")
        what = f"answered {status}" if status != paused else paused.replace("_", " ")
        fix = "Correct its credentials; it is tried again within 15 minutes."
        return State(Level.BAD, "Paused", f"Paused: {title} {what}.", fix)
    if not is_run:
        text = "No process runs it, or none could be asked."
        return State(Level.UNKNOWN, "Not running", text, f"Start one: ampgate pull {name}")
    if last is None:
        return State(Level.BUSY, "First run", "Its first whole run has not ended yet.")
    if now - last > LATE_TIMES * every:
        text = f"It has not ended a run for {duration(now - last)}."
        return State(Level.WARN, "Late", text, "See the log of the process that runs it.")
    return State(Level.GOOD, "Up to date", "Its last run ended {since}.", since=last)


def _labelled(
    values: Mapping[tuple[str, tuple[tuple[str, str], ...]], float],
    metric: str,
    pull: str,
    label: str,
) -> dict[str, int]:
    found: dict[str, int] = {}
    for (name, labels), value in values.items():
        named = dict(labels)
        if name == metric and named.get("pull") == pull:
            found[named[label]] = found.get(named[label], 0) + int(value)
    return found
