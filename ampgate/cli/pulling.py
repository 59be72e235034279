"""The command `ampgate pull`: on a schedule, once, or only shown."""

import asyncio
from collections.abc import Callable, Sequence

import typer

from ampgate.cli.printing import errors
from gateway.pulls import server
from gateway.pulls.pull import CursorLostError, RefusedError, UnavailableError, UnreadableError
from gateway.pulls.pulls import Progress
from schemas.configuration.config import Config

Load = Callable[[], Config]


def serve(config: Config, names: Sequence[str], load: Load) -> None:
    server.serve(config, names, load)


def run_once(config: Config, names: Sequence[str], load: Load) -> None:
    """Each ends in a line; exit code 1 if one of them failed, or is another process's now."""
    with errors.status("joining") as status:

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
    try:
        asyncio.run(server.preview(config, names, load, lambda value: typer.echo(value.decode())))
    except (CursorLostError, RefusedError, UnavailableError, UnreadableError) as error:
        errors.print(f"ampgate: {error}", style="red", markup=False)
        raise typer.Exit(1) from None
