"""What `ampgate reconcile` does, and how it shows it. DuckDB comes with it."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import typer

from ampgate.amplitude_read.budget import directory
from ampgate.amplitude_read.client import read_client
from ampgate.amplitude_read.export import Exported
from ampgate.amplitude_read.hours import words
from ampgate.archive.archive import archive
from ampgate.cli.moments import write_moment
from ampgate.cli.printing import errors, json_line, printable, warn
from ampgate.reconcile.comparison import Outcome
from ampgate.reconcile.counts import Counted, count
from ampgate.reconcile.reconcile import Asked, Reconciliation, Reports, reconcile
from schemas.configuration.config import Config
from schemas.vendors.readable import ReadableDestination

SHOWN = ("delivered", "found", "missing", "foreign", "counted_twice", "late", "pending")


class Place(NamedTuple):
    """The project, and where its exports are kept until the command is done."""

    destination: ReadableDestination
    kept_in: Path


async def by_export(
    config: Config, asked: Asked, place: Place, missing: Path | None, *, as_json: bool
) -> dict[str, int]:
    """The sums of what it shows."""
    found = await _reconcile(config, asked, place, missing)
    _show(found, place.destination.name, as_json=as_json)
    if found.missing and (until := asked.shown_until_ms) is not None:
        errors.print(
            f"Amplitude has shown uploads up to {write_moment(until)}: what was delivered later,"
            " as after a pause, is among the missing until then",
            highlight=False,
        )
    if found.missing_written is not None:
        errors.print(f"{found.missing_written} missing records written to {missing}")
    return _sums(found.outcomes)


async def by_counts(config: Config, asked: Asked, place: Place, *, as_json: bool) -> dict[str, int]:
    """As `by_export`."""
    async with (
        archive(config.kafka) as kafka,
        read_client(place.destination, directory(os.environ), warn) as client,
    ):
        found = await count(config, place.destination, kafka, client, asked, Reports())
    return _show_counts(found, place.destination.name, as_json=as_json)


async def _reconcile(
    config: Config, asked: Asked, place: Place, missing: Path | None
) -> Reconciliation:
    with errors.status("reading Kafka") as status:
        records = downloaded = 0

        def on_records(count: int) -> None:
            nonlocal records
            records += count
            status.update(f"reading Kafka: {records} records")

        def on_bytes(count: int) -> None:
            nonlocal downloaded
            downloaded += count
            status.update(f"downloading from Amplitude: {downloaded / 1e6:.1f} MB")

        def on_wait() -> None:
            warn(f"another reconciliation uses {place.kept_in}: waiting until it has ended")

        reports = Reports(on_records, say_window, on_bytes, on_wait)
        async with (
            archive(config.kafka) as kafka,
            read_client(place.destination, directory(os.environ), warn) as client,
        ):
            return await reconcile(
                *(config, place.destination, kafka, client, asked),
                *(place.kept_in, missing, reports),
            )


def say_window(window: Exported) -> None:
    size = f"{window.rows} events, {window.packed_bytes / 1e6:.1f} MB" if window.rows else "nothing"
    errors.print(f"{window.hours}: {size}", highlight=False, markup=False)


def _show(found: Reconciliation, destination: str, *, as_json: bool) -> None:
    if as_json:
        for one in found.outcomes:
            typer.echo(json_line(one, destination=destination))
    else:
        typer.echo(table_of(found.outcomes))
    sums = _sums(found.outcomes)
    for count_, says in (
        (
            sums["pending"],
            "are pending: Amplitude shows an hour about 2 h after its end",
        ),
        (sums["not_exported"], "are property updates: Amplitude exports none"),
        (sums["repeated"], "records were sent again with their insert_id: they count once"),
        (found.empty_hours, "hours with deliveries are wholly absent from Amplitude's export"),
    ):
        if count_:
            errors.print(f"{count_} {says}", highlight=False)
    if found.asked_from is not None:
        errors.print(
            f"asked about from {words(found.asked_from)} on: Kafka has nothing older that was"
            f" delivered to {destination}",
            highlight=False,
        )
    if not any(sums.values()):
        errors.print(f"nothing was delivered to {destination} then, of what Kafka still has")


def table_of(outcomes: Sequence[Outcome]) -> str:
    rows = [asdict(one) for one in outcomes]
    rows.append({"event_type": "all", **_sums(outcomes)})
    names = [name.replace("_", " ") for name in SHOWN]
    head = "".join(f"{name:>15}" for name in names) + "  event type"
    # Last, as one of a thousand characters moves no other column then.
    lines = [
        "".join(f"{row[n]:>15}" for n in SHOWN) + f"  {printable(str(row['event_type']))}"
        for row in rows
    ]
    return "\n".join([head, *lines])


def _sums(outcomes: Sequence[Outcome]) -> dict[str, int]:
    names = (*SHOWN, "not_exported", "repeated")
    return {name: sum(getattr(one, name) for one in outcomes) for name in names}


def _show_counts(found: Sequence[Counted], destination: str, *, as_json: bool) -> dict[str, int]:
    if as_json:
        for one in found:
            typer.echo(
                json_line(one, destination=destination, missing=one.missing, foreign=one.foreign)
            )
    else:
        typer.echo(f"{'day':<12}{'delivered':>12}{'counted':>12}{'missing':>12}  event type")
        for one in found:
            numbers = f"{one.delivered:>12}{one.counted:>12}{one.missing:>12}"
            typer.echo(f"{one.day:<12}{numbers}  {printable(one.event_type)}")
    return {
        "delivered": sum(one.delivered for one in found),
        "found": sum(min(one.delivered, one.counted) for one in found),
        "missing": sum(one.missing for one in found),
        "foreign": sum(one.foreign for one in found),
    }
