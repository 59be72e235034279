"""The command `ampgate ask`."""

import asyncio
import os
from itertools import groupby
from typing import Annotated

import typer

from ampgate.amplitude_read.budget import directory
from ampgate.ask.answered import State
from ampgate.ask.ask import ask as ask_all
from ampgate.cli.configuration import configuration
from ampgate.cli.printing import Json, json_line, printable, warn


def ask(
    user: Annotated[str, typer.Option(help="A user_id, or a device_id without one.")],
    destination: Annotated[
        list[str] | None, typer.Option(help="Only this one; can be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Of so many records of theirs in Kafka.")] = 100,
    as_json: Json = False,
) -> None:
    """Ask each destination what it knows of a user, and say beside it what `trace` says."""
    config = configuration()
    named = {one.name: one for one in config.destinations}
    if unknown := [name for name in destination or () if name not in named]:
        raise typer.BadParameter(f"no destination is called {', '.join(unknown)}")
    chosen = [named[name] for name in destination or named]

    asked = ask_all(config, chosen, user, limit, directory(os.environ), warn)
    answers = asyncio.run(asked)
    if as_json:
        for one in answers:
            typer.echo(json_line(one, user=user))
    else:
        for name, its in groupby(answers, lambda one: one.destination):
            typer.echo(name)
            for one in its:
                typer.echo(printable(f"  {one.question:<9} {_words(one.state):<10} {one.says}"))
    if any(one.state is State.FAILED for one in answers):
        raise typer.Exit(1)


def _words(state: State) -> str:
    return state.value.replace("_", " ")
