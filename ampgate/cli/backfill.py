"""The command `ampgate backfill`."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from ampgate.amplitude_read.budget import directory
from ampgate.amplitude_read.hours import Hours, hour_of
from ampgate.cli.configuration import configuration
from ampgate.cli.options import WORDS, Rate, Yes, moment, now_ms
from ampgate.cli.printing import Json, errors
from ampgate.cli.projects import amplitude_project


def backfill(
    project: Annotated[
        str, typer.Option("--from-amplitude", metavar="DESTINATION", help="Whose history it is.")
    ],
    from_: Annotated[
        int, typer.Option("--from", parser=moment, metavar="TIME", help=f"From then: {WORDS}")
    ],
    to: Annotated[
        int, typer.Option("--to", parser=moment, metavar="TIME", help="Before then; as --from.")
    ],
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

    --from and --to are by when Amplitude got an event, in whole hours.
    """
    config, now = configuration(), now_ms()
    read = amplitude_project(config, project)
    named = {one.name: one for one in config.destinations}
    if destination not in named:
        raise typer.BadParameter(f"no destination is called {destination}")
    if destination == project:
        raise typer.BadParameter(f"{destination} has its own history already")
    if from_ >= to:
        raise typer.BadParameter("--from is not before --to")
    if from_ > now:
        raise typer.BadParameter("--from is in the future: there is no history then")
    hours = Hours(hour_of(from_), hour_of(min(to, now) - 1))
    from ampgate.cli import backfilling  # It loads DuckDB: few commands need it.

    kept_in = kept_in or directory(os.environ) / "backfills"
    asked = backfilling.Asked(
        *(config, read, named[destination], hours, now),
        kept_in / f"{project}-{destination}-{hours.name}",
        rate,
    )
    try:
        asyncio.run(backfilling.run(asked, dry_run=dry_run, yes=yes, as_json=as_json))
    except KeyboardInterrupt:
        errors.print("ampgate: interrupted; the same command goes on with the rest", style="red")
        raise typer.Exit(1) from None
