"""The command `ampgate backfill`."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from ampgate.amplitude_read.budget import directory
from ampgate.amplitude_read.hours import Hours, hour_of
from ampgate.backfill.run_directory import run_directory
from ampgate.cli.configuration import configuration
from ampgate.cli.options import From, Rate, To, Yes, now_ms, say_where_it_stops
from ampgate.cli.printing import Json, errors
from ampgate.cli.projects import amplitude_project, destination_named


def backfill(
    project: Annotated[
        str, typer.Option("--from-amplitude", metavar="DESTINATION", help="Whose history it is.")
    ],
    from_: From,
    to: To,
    destination: Annotated[str, typer.Option(help="The one that gets it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    rate: Rate = None,
    yes: Yes = False,
    kept_in: Annotated[
        Path | None, typer.Option("--dir", help="Where exports are kept until it is done.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Send a destination the history that Amplitude has; the same command goes on with the rest.

    --from and --to are by when Amplitude got an event, in whole hours. A run that goes on counts
    a time ago from its own beginning.
    """
    say_where_it_stops()
    config, now = configuration(), now_ms()
    read = amplitude_project(config, project)
    configured = destination_named(config, destination)
    if destination == project:
        raise typer.BadParameter(f"{destination} has its own history already")
    if from_.ms(now) >= to.ms(now):
        raise typer.BadParameter("--from is not before --to")
    if from_.ms(now) > now:
        raise typer.BadParameter("--from is in the future: there is no history then")
    from ampgate.cli import backfilling  # It loads DuckDB: few commands need it.

    kept_in = kept_in or directory(os.environ) / "backfills"
    run = run_directory(kept_in, (project, destination, from_.text, to.text), now)
    begun = run.begun_ms
    hours = Hours(hour_of(from_.ms(begun)), hour_of(min(to.ms(begun), begun) - 1))
    asked = backfilling.Asked(config, read, configured, hours, now, run, rate)
    try:
        asyncio.run(backfilling.run(asked, dry_run=dry_run, yes=yes, as_json=as_json))
    except KeyboardInterrupt:
        errors.print("ampgate: interrupted; the same command goes on with the rest", style="red")
        raise typer.Exit(1) from None
