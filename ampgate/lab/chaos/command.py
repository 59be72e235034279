"""`ampgate chaos`: what it did and what it found, for people or as NDJSON."""

import asyncio
from random import SystemRandom
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from ampgate.cli.printing import Json, errors, json_line

if TYPE_CHECKING:
    from ampgate.lab.chaos.report import Report

SEED_MAX = 2**32


def register(app: typer.Typer) -> None:
    app.command()(chaos)


def chaos(
    seconds: Annotated[float, typer.Option(min=1, help="How long things are broken.")] = 60.0,
    seed: Annotated[int | None, typer.Option(help="The same faults in the same order.")] = None,
    as_json: Json = False,
) -> None:
    """Break a gateway of its own in every way, and check that no event is lost."""
    # An edge that is started imports us too, and must be the first to load prometheus_client.
    from ampgate.lab.chaos.report import Progress
    from ampgate.lab.chaos.run import run

    chosen = SystemRandom().randrange(SEED_MAX) if seed is None else seed
    errors.print(f"seed {chosen}: broken for {seconds:g} s, then healed, drained and counted")
    with Bar(
        *(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()),
        console=errors,
        disable=not errors.is_terminal,
        transient=True,
    ) as bar:
        task = bar.add_task("starting", total=None)

        def show(phase: str, acknowledged: int) -> None:
            bar.update(task, description=f"{phase}; {acknowledged} events acknowledged")

        report = asyncio.run(run(seconds, chosen, Progress(errors.print, show)))
    show_report(report, chosen, as_json=as_json)
    if not all(finding.ok for finding in report.findings):
        errors.print(f"the logs are in {report.logs}", markup=False)
        raise typer.Exit(1)


def show_report(report: "Report", seed: int, *, as_json: bool) -> None:
    for done in report.done:
        text = f"{done.at:6.1f} s  {done.did} (took {done.took:.1f} s)"
        typer.echo(json_line(done) if as_json else text)
    for finding in report.findings:
        text = f"{'ok' if finding.ok else 'FAILED':<7} {finding.subject}: {finding.says}"
        typer.echo(json_line(finding, ok=finding.ok) if as_json else text)
    if not as_json:
        typer.echo(
            f"seed {seed}: {report.events} events, {report.retries} retries by the clients,"
            f" who waited {report.longest_wait:.1f} s at most"
        )
