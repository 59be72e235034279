"""The command `ampgate preview`."""

import sys
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Annotated

import orjson
import typer

from ampgate.cli.configuration import configuration
from ampgate.cli.options import now_ms
from ampgate.cli.printing import Json, errors, json_line, json_text, printable
from ampgate.cli.send import readable
from ampgate.preview.lines import chunks
from ampgate.preview.preview import Preview, Sent, Unsent


def preview(
    file: Annotated[
        Path, typer.Argument(parser=readable, help="NDJSON, plain or gzip; - is stdin.")
    ],
    destination: Annotated[str, typer.Option(help="Whose requests.")],
    source: Annotated[
        str | None, typer.Option(help="As if they came from this source; its plan holds, too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the requests that a file's events would become; nothing is sent."""
    say = partial(errors.print, markup=False)
    with redirect_stdout(sys.stderr):  # What the user's module prints is no result.
        shown = Preview(
            configuration(), destination, lambda words: say(f"warning: {words}"), source, now_ms()
        )
    for lines in chunks(file):
        with redirect_stdout(sys.stderr):
            outcomes = list(shown.of(lines))
        for found in outcomes:
            typer.echo(_as_json(found) if as_json else _in_words(found))


def _as_json(found: Sent | Unsent) -> str:
    return json_line(found) if isinstance(found, Sent) else json_text(found.shown)


def _in_words(found: Sent | Unsent) -> str:
    if isinstance(found, Unsent):
        detail = f": {found.detail}" if found.detail else ""
        return printable(f"line {found.line}: {found.outcome} ({found.reason}{detail})")
    body = found.body
    text = body if isinstance(body, str) else json_text(body, orjson.OPT_INDENT_2)
    shown = "\n".join(map(printable, text.split("\n")))
    return f"POST {found.endpoint}, lines {', '.join(map(str, found.lines))}\n{shown}"
