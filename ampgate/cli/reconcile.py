"""The command `ampgate reconcile`."""

import asyncio
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ampgate.amplitude_read.budget import directory
from ampgate.cli.configuration import configuration
from ampgate.cli.options import WORDS, moment, new_file, now_ms
from ampgate.cli.printing import Json
from ampgate.cli.projects import amplitude_project

HOUR_MS = 3_600_000


class By(StrEnum):
    """How Amplitude is asked."""

    EXPORT = "export"
    COUNTS = "counts"


Missing = Annotated[
    Path | None,
    typer.Option(parser=new_file, metavar="FILE", help="Write the missing records there, NDJSON."),
]
MetricsFile = Annotated[
    Path | None,
    typer.Option(
        "--metrics",
        parser=new_file,
        metavar="FILE",
        help="Write the sums there, for Prometheus.",
    ),
]


def reconcile(
    destination: Annotated[str, typer.Option(help="An Amplitude destination.")],
    from_: Annotated[
        int, typer.Option("--from", parser=moment, metavar="TIME", help=f"From then: {WORDS}")
    ],
    to: Annotated[
        int, typer.Option("--to", parser=moment, metavar="TIME", help="Before then; as --from.")
    ] = "now",  # type: ignore[assignment]  # Typer gives it to the parser.
    by: Annotated[
        By, typer.Option(help="export: each event. counts: totals a day, which costs little.")
    ] = By.EXPORT,
    late_hours: Annotated[
        int, typer.Option(min=0, max=720, help="So long after --to uploads are looked for.")
    ] = 24,
    missing: Missing = None,
    metrics_file: MetricsFile = None,
    kept_in: Annotated[
        Path | None, typer.Option("--dir", help="Where exports are kept until it is done.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare what was delivered with what Amplitude has; exit code 1 if any event is missing."""
    config, now = configuration(), now_ms()
    configured = amplitude_project(config, destination)
    if from_ >= to:
        raise typer.BadParameter("--from is not before --to")
    if from_ > now:
        raise typer.BadParameter("--from is in the future: nothing was delivered then")
    if by is By.COUNTS and missing is not None:
        raise typer.BadParameter("counts name no records", param_hint="--missing")
    from ampgate.cli import reconciling  # It loads DuckDB: no other command needs it.
    from ampgate.reconcile import metrics
    from ampgate.reconcile.reconcile import Asked

    asked = Asked(from_, min(to, now), now, late_hours * HOUR_MS)
    kept_in = kept_in or directory(os.environ) / "exports" / destination
    place = reconciling.Place(configured, kept_in)
    if by is By.COUNTS:
        sums = asyncio.run(reconciling.by_counts(config, asked, place, as_json=as_json))
    else:
        sums = asyncio.run(reconciling.by_export(config, asked, place, missing, as_json=as_json))
    if metrics_file is not None:
        metrics.write(destination, sums, now_ms() / 1000, metrics_file)
    if sums["missing"]:
        raise typer.Exit(1)
