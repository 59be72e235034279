"""The command line. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Annotated

import structlog
import typer

from ampgate import topics as kafka_topics
from ampgate.check.check import check as run_checks
from ampgate.cli import destinations as cli_destinations
from ampgate.cli import logs
from ampgate.cli import plan as cli_plan
from ampgate.cli import records as cli_records
from ampgate.cli import suppress as cli_suppress
from ampgate.cli.ask import ask
from ampgate.cli.backfill import backfill
from ampgate.cli.configuration import configuration
from ampgate.cli.printing import Json, errors, json_line
from ampgate.cli.reconcile import reconcile
from ampgate.cli.send import send
from ampgate.errors import CommandError
from ampgate.topic_plan import PARTITIONS_MAX
from consumers.transform_times import interruption
from schemas.configuration.config import ConfigError
from schemas.plans.checking import check_plans

# A SIGHUP that comes before they have a handler for it waits for that.
RELOADING = frozenset({"edge", "deliver", "pull", "console"})

app = typer.Typer(
    name="ampgate",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
topics_app = typer.Typer(help="The topics in Kafka.", no_args_is_help=True)
app.add_typer(topics_app, name="topics")
app.add_typer(cli_destinations.app, name="destinations")
app.add_typer(cli_plan.app, name="plan")
app.add_typer(cli_suppress.app, name="suppress")
cli_records.register(app)
app.command()(send)
app.command()(reconcile)
app.command()(ask)
app.command()(backfill)
if find_spec("ampgate.lab") is not None:  # Servers do not have it.
    import_module("ampgate.lab.commands").register(app)


@app.command()
def edge() -> None:
    """Run the HTTP edge: requests in, records into Kafka."""
    read = partial(configuration, ["sources"])
    config = read()
    check_plans(config.sources)
    logs.configure("edge", logs.level_of(os.environ))
    from gateway.server.server import serve  # Each process imports only its own side.

    serve(config, read)


@app.command()
def deliver(
    destinations: Annotated[
        list[str] | None, typer.Argument(metavar="[DESTINATION]...", help="Only these.")
    ] = None,
) -> None:
    """Run the delivery: records from Kafka to the destinations."""
    read = partial(configuration, ["destinations"])
    config = read()
    logs.configure("delivery", logs.level_of(os.environ))
    from consumers.server import serve  # As above.

    serve(config, destinations or (), read)


@app.command()
def pull(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Run them now, once, and end: for cron.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what a run would produce; store nothing.")
    ] = False,
) -> None:
    """Run the pulls: what other systems show becomes records, on a schedule."""
    if once or dry_run:
        _take_hangups()
    else:
        # What comes before there are handlers waits for them.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
    read = partial(configuration, ["pulls"])
    config = read()
    from ampgate.cli import pulling  # As above.

    if dry_run:
        pulling.preview(config, names or (), read)
    elif once:
        pulling.run_once(config, names or (), read)
    else:
        logs.configure("pull", logs.level_of(os.environ))
        pulling.serve(config, names or (), read)


@app.command()
def console() -> None:
    """Run the console: a web page that shows what waits and why, and replays dead letters."""
    read = partial(configuration, ["console"])
    config = read()
    logs.configure("console", logs.level_of(os.environ))
    from ampgate.console.server import serve  # As above.

    serve(config, lambda words: print(words, flush=True), read)


@app.command()
def bench() -> None:
    """Measure what an event costs on this machine; from a checkout of the project."""
    try:
        from benchmarks.__main__ import main as measure
    except ModuleNotFoundError as error:
        raise ConfigError(
            "the benchmarks are part of the project's checkout: run it there"
        ) from error
    measure()


@topics_app.command()
def create(
    partitions: Annotated[
        int | None,
        typer.Option(
            min=1, max=PARTITIONS_MAX, help="Without it, as many as those that exist; else 12."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Create the topics that are missing."""
    outcomes = asyncio.run(kafka_topics.create(configuration().kafka, partitions=partitions))
    for outcome in outcomes:
        text = f"{'created' if outcome.created else 'exists':<8} {outcome.name}"
        got = ", ".join(f"{name} {value or 'unknown'}" for name, value in outcome.instead.items())
        text += f": the cluster allows no more than {got}" if got else ""
        typer.echo(json_line(outcome) if as_json else text)
    if hint := kafka_topics.as_configuration(configuration().kafka, outcomes):
        errors.print(f"so that `ampgate check` expects no more, configure:\n{hint}", markup=False)


@app.command()
def check(as_json: Json = False) -> None:
    """Say what is in place, and how to fix what is not."""
    findings = asyncio.run(run_checks(configuration()))
    for finding in findings:
        level = "FAILED" if not finding.ok else "warning" if finding.advice else "ok"
        text = f"{level:<7} {finding.subject}: {finding.says}"
        fix = f"\n        {words}" if (words := finding.fix or finding.advice) else ""
        typer.echo(json_line(finding, ok=finding.ok) if as_json else text + fix)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _take_hangups() -> None:
    """Let a SIGHUP end the command, as of a terminal that is closed."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ampgate {version('ampgate')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    _is_version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="And exit.")
    ] = False,
) -> None:
    """The event gateway between your apps and Amplitude and Aampe."""
    if context.invoked_subcommand not in RELOADING:
        _take_hangups()


def main() -> None:
    """Run the command; an error ends it with one message."""
    # Our message replaces aiokafka's; servers have their own handler.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    # Standard output is for the result only: a program may read it.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    _require_text(sys.argv[1:])
    # A transform that does not return must not stop `trace`, a replay, or the console.
    interruption.install()
    try:
        app()
    except ConfigError as error:
        fail(str(error), 2)
    except (CommandError, OSError) as error:
        fail(str(error), 1)


def _require_text(arguments: Sequence[str]) -> None:
    """What is no UTF-8 can only be the name of a file: neither Kafka nor a destination has it."""
    for one in arguments:
        raw = os.fsencode(one)
        if raw.decode(errors="replace") != one and not os.path.exists(raw):  # noqa: PTH110
            fail(f"an argument is not UTF-8: {raw!r}", 2)


def fail(message: str, status: int) -> None:
    errors.print(f"ampgate: {message}", style="red", markup=False)
    sys.exit(status)
