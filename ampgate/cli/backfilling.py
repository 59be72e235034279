"""What `ampgate backfill` does, and how it shows it. DuckDB comes with it."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import typer

from ampgate.amplitude_read.budget import directory
from ampgate.amplitude_read.client import ReadClient, read_client
from ampgate.amplitude_read.export import Exports
from ampgate.amplitude_read.hours import LAG_HOURS, WIDTH_MAX, Hours, is_complete
from ampgate.archive.archive import Archive, archive
from ampgate.backfill.backfill import Sending, Totals, prepare
from ampgate.backfill.history import history
from ampgate.backfill.parking import Backfill
from ampgate.backfill.run_directory import RunDirectory
from ampgate.cli.options import require_consent
from ampgate.cli.printing import errors, json_line, progress_bar, warn
from ampgate.cli.reconciling import say_window
from ampgate.cli.resending import say_refused
from ampgate.errors import CommandError
from ampgate.reconcile.counts import totals_of
from ampgate.resend.writer import writer
from consumers.destinations import destinations_of
from schemas.configuration.config import Config
from schemas.topics import Kind
from schemas.vendors.readable import ReadableDestination
from schemas.vendors.vendor import ConfiguredDestination

EVERY = "_all"  # Of all event types (amplitude-read.md#segmentation).
DAYS_MAX = 365
# What a destination takes a second, about: with one event a request, and with many.
ONE_EACH, MANY = 1_000, 5_000


@dataclass(frozen=True, slots=True)
class Asked:
    config: Config
    project: ReadableDestination
    destination: ConfiguredDestination
    hours: Hours
    now_ms: int
    directory: RunDirectory
    rate: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """`events` by Amplitude's totals of these days; none, if it does not say."""

    project: str
    destination: str
    hours: int
    incomplete_hours: int  # Of these: Amplitude does not show all of them yet.
    events: int | None
    events_a_second: float
    minutes: float | None
    counts_twice: bool  # The destination dedupes nothing.


async def run(asked: Asked, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    config, name = asked.config, asked.destination.name
    async with (
        archive(config.kafka) as kafka,
        read_client(asked.project, directory(os.environ), warn) as client,
    ):
        await kafka.require_co_partitions(config.kafka.topics)
        plan = await _plan(asked, client)
        typer.echo(json_line(plan) if as_json else _in_words(plan))
        if dry_run:
            return
        require_consent(f"Send this history to {name}?", yes=yes)
        totals = await _send(asked, kafka, client)
    if not as_json:
        before = f", {totals.sent_before} of them earlier" if totals.sent_before else ""
        unusable = (
            f"; {totals.unusable} have no id or no time, or are no JSON" if totals.unusable else ""
        )
        refused = f"; Kafka refused {totals.refused}" if totals.refused else ""
        typer.echo(
            f"{totals.rows} events read and written{before}{unusable}{refused};"
            " the delivery sends them"
        )
    if totals.refused:  # Each was told.
        raise typer.Exit(1)


async def _send(asked: Asked, kafka: Archive, client: ReadClient) -> Totals:
    topics, destination = asked.config.kafka.topics, asked.destination
    asked.directory.begin()
    sources = destination.sources or ("kafka",)
    run = Backfill(
        topics,
        await kafka.partitions(topics.parked),
        asked.project.name,
        destination.name,
        sources[0],
        asked.directory.begun_ms,
    )
    if asked.directory.is_going_on:
        errors.print(f"going on with the run of {run.at}")
    exports = Exports(client, asked.directory.path / "hours", asked.now_ms, say_window)
    with history(asked.directory.path) as found:
        await prepare(exports, asked.hours, found)
        errors.print(f"{len(found)} events are sorted by their own time")
        waited = 0

        def waiting(count: int) -> None:
            nonlocal waited
            waited += 1
            if waited % 60 == 0:  # Half a minute.
                errors.print(
                    f"{count} parked records wait for their delivery to {destination.name}"
                )

        with progress_bar("backfilling", len(found)) as advance:
            async with writer(
                asked.config.kafka,
                rate=asked.rate,
                on_written=lambda _: None,
                on_refused=say_refused,
            ) as writing:
                paces = isinstance(destination, ReadableDestination)
                sending = Sending(
                    *(run, asked.directory, kafka, writing, paces),
                    *(advance, waiting),
                )
                totals = await sending(found)
    await asyncio.to_thread(asked.directory.end)
    return totals


async def _plan(asked: Asked, client: ReadClient) -> Plan:
    destination = asked.destination
    parts = destinations_of(destination)
    is_one_each = all(one.limits.records == 1 for one in parts)
    rate = asked.rate or float(ONE_EACH if is_one_each else MANY)
    events = await _events(asked.hours, client)
    return Plan(
        asked.project.name,
        destination.name,
        len(asked.hours),
        sum(not is_complete(hour, asked.now_ms) for hour in asked.hours.all),
        events,
        rate,
        None if events is None else round(events / rate / 60, 1),
        destination.dedupe_days(Kind.EVENT) is None,
    )


async def _events(hours: Hours, client: ReadClient) -> int | None:
    days = _days(hours)
    if len(days) > DAYS_MAX:
        return None
    try:
        # It counts by the events' own time: what was imported is in other days.
        return sum((await totals_of(client, EVERY, days)).values()) or None
    except CommandError as error:
        warn(f"the events could not be counted: {error}")
        return None


def _days(hours: Hours) -> Sequence[str]:
    days = range(hours.first // 24, hours.last // 24 + 1)
    return [f"{datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}" for day in days]


def _in_words(plan: Plan) -> str:
    known = f"about {plan.events} events" if plan.events is not None else "events not counted"
    took = f", {plan.minutes} min at {plan.events_a_second:g}/s" if plan.minutes is not None else ""
    exports = -(-plan.hours // WIDTH_MAX)
    what = f"{plan.hours} hours of {plan.project} in {exports} exports or more, {known}"
    lines = [f"{what}, to {plan.destination}{took}"]
    if plan.incomplete_hours:
        lines.append(
            f"Amplitude shows an hour about {LAG_HOURS} h after its end: of the last"
            f" {plan.incomplete_hours} it may not have shown all; --to {LAG_HOURS + 1}h is sure"
        )
    if plan.counts_twice:
        lines.append(
            f"{plan.destination} dedupes nothing: what it got already in that time COUNTS TWICE"
        )
    return "\n".join(lines)
