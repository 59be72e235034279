"""The commands `ampgate destinations list|rename|forget`."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from ampgate.archive.archive import archive
from ampgate.cli.configuration import configuration
from ampgate.cli.options import Yes, require_consent
from ampgate.cli.printing import Json, json_line, progress_bar
from ampgate.destinations.groups import Groups, groups_of
from ampgate.destinations.left_behind import (
    Standing,
    Survey,
    drop,
    require_idle,
)
from ampgate.destinations.rename import Rename, moving_producer
from ampgate.errors import CommandError
from schemas.configuration.config import Config
from schemas.configuration.values import NAME, RESERVED_NAMES

app = typer.Typer(
    help="Destinations, and what those left behind that are gone.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(metavar="NAME")]


@app.command(name="list")
def list_destinations(as_json: Json = False) -> None:
    """Each destination that is configured, or of which something is left in Kafka."""
    for standing in asyncio.run(_standings(configuration())):
        left = standing.is_left_behind
        line = json_line(standing, left_behind=left) if as_json else _in_words(standing)
        typer.echo(line)


@app.command()
def rename(
    old: Annotated[str, typer.Argument(metavar="OLD")],
    new: Annotated[str, typer.Argument(metavar="NEW")],
    yes: Yes = False,
) -> None:
    """Let NEW go on where OLD was: its offsets, and its parked records; nothing is sent twice."""
    if not re.fullmatch(NAME, new) or new in RESERVED_NAMES:
        raise typer.BadParameter(f"{new} cannot be the name of a destination", param_hint="NEW")
    if old == new:
        raise typer.BadParameter("OLD and NEW are the same")
    asyncio.run(_rename(configuration(), old, new, yes=yes))


@app.command()
def forget(name: Name, yes: Yes = False) -> None:
    """Drop what a destination left behind that is not configured any more."""
    config = configuration()
    if name in {one.name for one in config.destinations}:
        raise CommandError(f"{name} is configured: take it out of the configuration first")
    asyncio.run(_forget(config, name, yes=yes))


@asynccontextmanager
async def _surveyed(config: Config) -> AsyncIterator[tuple[Survey, Groups]]:
    async with archive(config.kafka) as kafka, groups_of(config.kafka) as groups:
        survey = Survey(config, kafka, groups)
        await survey.look()
        yield survey, groups


async def _standings(config: Config) -> list[Standing]:
    async with _surveyed(config) as (survey, _):
        return await survey.standings()


async def _forget(config: Config, name: str, *, yes: bool) -> None:
    async with _surveyed(config) as (survey, groups):
        standing = await survey.standing(name, configured=False)
        if not standing.is_left_behind:
            raise CommandError(f"Kafka has nothing of a destination {name}")
        await require_idle(survey, [name])
        typer.echo(
            f"{name}: its offsets go, with {standing.unread} unread records;"
            f" {standing.parked} parked records will not be delivered"
        )
        if require_consent(f"Forget {name}?", yes=yes):
            await _look_again(survey, [name])
        await drop(config.kafka.topics, survey, groups, name, lambda _kind: survey.parked_ends)
        typer.echo(f"{name} is forgotten")


async def _rename(config: Config, old: str, new: str, *, yes: bool) -> None:
    async with (
        archive(config.kafka) as kafka,
        groups_of(config.kafka) as groups,
        # What is parked behind an unfinished transaction is not seen: this ends it first.
        moving_producer(config.kafka, old) as producer,
    ):
        survey = Survey(config, kafka, groups)
        await survey.look()
        left = await survey.standing(old, configured=False)
        if not left.is_left_behind:
            if (await survey.standing(new, configured=False)).offsets:
                typer.echo(f"nothing is left of {old}, and {new} has offsets: it is done")
                return
            raise CommandError(f"Kafka has nothing of a destination {old}")
        await require_idle(survey, [old, new])
        plan = Rename(config, survey, old, new)
        typer.echo(
            f"{new} goes on where {old} was: {left.unread} records unread, {plan.parked} parked"
        )
        if old in {one.name for one in config.destinations}:
            typer.echo(f"{old} is still configured: rename it there, too, before the next start")
        if require_consent(f"Rename {old} to {new}?", yes=yes):
            await _look_again(survey, [old, new])
            plan = Rename(config, survey, old, new)
        with progress_bar("moving", plan.parked) as advance:
            await plan.move(kafka, producer, advance)
        await drop(config.kafka.topics, survey, groups, old, plan.settled)
        typer.echo(f"{old} is {new} now")


async def _look_again(survey: Survey, names: Sequence[str]) -> None:
    """An answer may come late: a delivery may have run meanwhile, or run now."""
    await survey.look()
    await require_idle(survey, names)


def _in_words(standing: Standing) -> str:
    state = "configured" if standing.configured else "LEFT BEHIND"
    return (
        f"{standing.destination:<24} {state:<12} {standing.members:>3} consumers"
        f" {standing.unread:>10} unread {standing.parked:>10} parked"
    )
