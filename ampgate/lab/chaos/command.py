"""`ampgate chaos`: what it did and what it found, for people or as NDJSON."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ampgate.cli.printing import Json, errors, json_line
from ampgate.errors import CommandError

if TYPE_CHECKING:
    from ampgate.lab.chaos.report import Report

SEED_MAX = 2**32


@dataclass(frozen=True, slots=True)
class Ran:
    """One run in a line."""

    seed: int
    ok: bool
    broken: int  # Things.
    events: int
    retries: int  # By the clients,
    longest_wait: float  # and how long they waited at most, in seconds.
    failed: Sequence[str]  # The findings that say so, or why there are none.
    logs: Path | None


def register(app: typer.Typer) -> None:
    app.command()(chaos)


def chaos(
    seconds: Annotated[float, typer.Option(min=1, help="How long things are broken.")] = 60.0,
    seed: Annotated[int | None, typer.Option(help="The same faults in the same order.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="Again, each time with the next seed.")] = 1,
    brokers: Annotated[int, typer.Option(min=1, max=3, help="Of Kafka; 3 have 3 replicas.")] = 1,
    as_json: Json = False,
) -> None:
    """Break a gateway of its own in every way, and check that no event is lost."""
    first = SystemRandom().randrange(SEED_MAX) if seed is None else seed
    ran = [
        _run(seconds, (first + number) % SEED_MAX, brokers, as_json=as_json)
        for number in range(runs)
    ]
    if runs > 1 and not as_json:
        show_table(ran)
    if not all(one.ok for one in ran):
        raise typer.Exit(1)


def _run(seconds: float, seed: int, brokers: int, *, as_json: bool) -> Ran:
    """Once; what it did and found is shown."""
    # An edge that is started imports us too, and must be the first to load prometheus_client.
    from ampgate.lab.chaos.report import Progress
    from ampgate.lab.chaos.run import run

    errors.print(f"seed {seed}: broken for {seconds:g} s, then healed, drained and counted")
    with Bar(
        *(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()),
        console=errors,
        disable=not errors.is_terminal,
        transient=True,
    ) as bar:
        task = bar.add_task("starting", total=None)

        def show(phase: str, acknowledged: int) -> None:
            bar.update(task, description=f"{phase}; {acknowledged} events acknowledged")

        try:
            report = asyncio.run(run(seconds, seed, brokers, Progress(errors.print, show)))
        except CommandError as error:
            errors.print(str(error), markup=False)
            return Ran(seed, False, 0, 0, 0, 0.0, [str(error)], None)
    ran = in_a_line(report, seed)
    show_report(report, ran, as_json=as_json)
    if not ran.ok:
        errors.print(f"the logs are in {report.logs}", markup=False)
    return ran


def in_a_line(report: "Report", seed: int) -> Ran:
    failed = [finding.subject for finding in report.findings if not finding.ok]
    return Ran(
        seed=seed,
        ok=not failed,
        broken=len(report.done),
        events=report.events,
        retries=report.retries,
        longest_wait=round(report.longest_wait, 1),
        failed=failed,
        logs=report.logs,
    )


def show_report(report: "Report", ran: Ran, *, as_json: bool) -> None:
    for done in report.done:
        text = f"{done.at:6.1f} s  {done.did} (took {done.took:.1f} s)"
        typer.echo(json_line(done) if as_json else text)
    for finding in report.findings:
        text = f"{'ok' if finding.ok else 'FAILED':<7} {finding.subject}: {finding.says}"
        typer.echo(json_line(finding, ok=finding.ok) if as_json else text)
    if as_json:
        typer.echo(json_line(ran, logs=str(ran.logs) if ran.logs else None))
    else:
        typer.echo(
            f"seed {ran.seed}: {ran.events} events, {ran.retries} retries by the clients,"
            f" who waited {ran.longest_wait:.1f} s at most"
        )


def show_table(ran: Sequence[Ran]) -> None:
    table = Table("seed", "result", "broken", "events", "retries", "longest wait", box=None)
    for one in ran:
        result = "ok" if one.ok else f"FAILED: {', '.join(one.failed)}"
        counts = (str(one.broken), str(one.events), str(one.retries))
        table.add_row(str(one.seed), result, *counts, f"{one.longest_wait:.1f} s")
    Console(highlight=False, emoji=False, markup=False).print(table)
