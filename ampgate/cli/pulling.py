"""The command `ampgate pull`: on a schedule, once, or only shown."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import typer
from aiokafka.errors import KafkaError

from ampgate.cli.printing import errors
from ampgate.errors import CommandError
from gateway.pulls import server
from gateway.pulls.pull import CursorLostError, RefusedError, UnavailableError, UnreadableError
from gateway.pulls.pulls import Progress
from gateway.pulls.standstill import StoodStillError
from schemas.configuration.config import Config
from schemas.kafka.batches import NotStored
from schemas.vendors import SYSTEMS

NO_RUN = CursorLostError, RefusedError, UnavailableError, UnreadableError
Load = Callable[[], Config]


def serve(config: Config, names: Sequence[str], load: Load) -> None:
    server.serve(config, names, load)


def run_once(config: Config, names: Sequence[str], load: Load) -> None:
    """Each ends in a line; exit code 1 if one of them failed, or is another process's now."""
    with _failures(), errors.status("joining") as status:

        def shown(progress: Progress) -> None:
            status.update(
                f"{progress.pull}: page {progress.pages}, {progress.objects} objects"
                f" ({progress.objects / max(progress.seconds, 0.001):.0f}/s),"
                f" {progress.records} records"
            )

        ended = server.run_once(config, names, load, shown)
    wanted = names or [pull.name for pull in config.pulls]
    for name in wanted:
        if name not in ended:
            errors.print(f"ampgate: {name}: another process runs it", style="red", markup=False)
        elif (trouble := ended[name].trouble) is not None:
            errors.print(f"ampgate: {name}: {trouble}", style="red", markup=False)
        else:
            one = ended[name]
            typer.echo(
                f"{name}: {one.objects} objects in {one.pages} pages, {one.records} records"
                f" in {one.seconds:.1f} s"
            )
    if any(name not in ended or ended[name].trouble is not None for name in wanted):
        raise typer.Exit(1)


def preview(config: Config, names: Sequence[str], load: Load) -> None:
    """The records as NDJSON; nothing is stored, so the next run produces them all the same."""
    for one in config.pulls:
        if one.name in (names or [one.name]) and (allowed := SYSTEMS[one.type].a_month) is not None:
            errors.print(
                f"{one.name}: this uses one of the {allowed} downloads of the month, uncounted"
            )
    with _failures():
        asyncio.run(server.preview(config, names, load, lambda value: typer.echo(value.decode())))


@contextmanager
def _failures() -> Iterator[None]:
    """What no run can go on after, in one sentence."""
    try:
        yield
    except (*NO_RUN, StoodStillError) as error:
        raise CommandError(str(error)) from error
    except (KafkaError, NotStored) as error:
        says = "Kafka cannot be used, or lacks a topic (ampgate check tells)"
        raise CommandError(f"{says}: {error}") from error
    except sqlite3.Error as error:
        raise CommandError(f"the temporary file of what was seen: {error}") from error
