"""The command `ampgate send`."""

import asyncio
import os
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ampgate.cli.options import say_where_it_stops
from ampgate.cli.printing import Json, errors, json_line, printable
from ampgate.send.file import send_file
from ampgate.send.lines import STANDARD_INPUT
from ampgate.send.reports import Reports
from schemas.configuration.values import BASE_URL


def readable(name: str) -> Path:
    """A file or a pipe; a wrong one is wrong usage."""
    path = Path(name)
    if path == STANDARD_INPUT:
        return path
    if not path.exists():
        raise typer.BadParameter(f"file '{name}' does not exist.")
    if path.is_dir():
        raise typer.BadParameter(f"file '{name}' is a directory.")
    if not os.access(path, os.R_OK):
        raise typer.BadParameter(f"file '{name}' is not readable.")
    return path


def write_key(text: str) -> str:
    if not text.isprintable():
        raise typer.BadParameter("it has a character that no write key has, such as a line's end")
    return text


Key = Annotated[
    str, typer.Option(help="The source's write key.", envvar="AMPGATE_KEY", callback=write_key)
]


def address(text: str) -> str:
    if not re.match(BASE_URL, text):
        raise typer.BadParameter(f"{text} is no URL, as in http://127.0.0.1:8080")
    return text


def send(
    file: Annotated[Path, typer.Argument(parser=readable, help="- is standard input.")],
    key: Key,
    url: Annotated[str, typer.Option(help="The edge.", callback=address)] = "http://127.0.0.1:8080",
    resume: Annotated[
        int, typer.Option(min=1, metavar="N", help="Begin with this line of the file.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Send a file of events, one JSON object a line, plain or gzip."""
    say_where_it_stops()
    reports = Reports(lambda words: errors.print(printable(words), markup=False))
    with Progress(
        TextColumn("sending"),
        *(BarColumn(), DownloadColumn(), TimeRemainingColumn()),
        console=errors,
        disable=not errors.is_terminal,
        transient=True,
    ) as progress:
        is_pipe = not file.is_file()
        total = None if is_pipe else file.stat().st_size
        task = progress.add_task("sending", total=total)
        summary, error = asyncio.run(
            send_file(
                file,
                url=url,
                key=key,
                is_pipe=is_pipe,
                first=resume,
                report=reports.report,
                on_progress=lambda done: progress.update(task, completed=done),
                on_wait=lambda trouble: errors.print(f"waiting: {trouble}", markup=False),
            )
        )
    reports.end()
    text = (
        f"{summary.accepted} accepted, {summary.rejected} rejected"
        f" in {summary.seconds:.1f} s ({summary.rate:.0f}/s)"
    )
    typer.echo(json_line(summary, rate=round(summary.rate, 1)) if as_json else text)
    if error is not None:
        errors.print(f"ampgate: {error}", style="red", markup=False)
    elif resume > 1 and not summary.lines and summary.stopped_at is None:
        errors.print(f"nothing is left to send: there is no record from line {resume} on")
    if (line := summary.stopped_at) is not None:
        errors.print(f"stopped at line {line}; continue with --resume {line}", style="red")
    if error is not None or summary.rejected or summary.stopped_at is not None:
        raise typer.Exit(1)
