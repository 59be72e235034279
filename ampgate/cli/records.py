"""The commands about records: where they are, which are dead, and how to send them again."""

import asyncio
import sqlite3
from contextlib import aclosing, suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ampgate.archive import tail as tailing
from ampgate.cli import dead_letters as cli_dead_letters
from ampgate.cli.configuration import configuration
from ampgate.cli.moments import write_moment
from ampgate.cli.options import Since
from ampgate.cli.preview import preview
from ampgate.cli.printing import Json, errors, json_line, printable
from ampgate.cli.replay import replay
from ampgate.trace import trace as tracing
from ampgate.trace.spooled import spooled
from ampgate.trace.whereabouts import Whereabouts
from schemas.configuration.config import Kafka
from schemas.letters import timestamp


def register(app: typer.Typer) -> None:
    app.command()(trace)
    app.command()(tail)
    app.command()(replay)
    app.command()(preview)
    app.add_typer(cli_dead_letters.app, name="dead-letters")


def trace(
    user: Annotated[str | None, typer.Option(help="A user_id, or a device_id without one.")] = None,
    insert_id: Annotated[str | None, typer.Option(help="One event's.")] = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, help="Of so many records, the newest.")] = 100,
    everywhere: Annotated[
        bool,
        typer.Option("--everywhere", help="Search all partitions: also records without their key."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Say where an event is, per destination: delivered, waiting, dead, skipped, unread."""
    sought: tracing.Sought
    match user, insert_id:
        case str(name), None:
            sought = tracing.ByUser(name, everywhere)
        case None, str(name):
            sought = tracing.ByInsertId(name)
        case _:
            raise typer.BadParameter("either --user or --insert-id")
    search = tracing.Search(sought, since, limit)
    config = configuration()
    is_spooled = _say_spooled(config.edge.spool_dir, search)  # Before Kafka, which may be away.
    looked = asyncio.run(tracing.look(config, search))
    for one in looked.lines:
        typer.echo(json_line(one) if as_json else _in_words(one))
    if len({(one.topic, one.partition, one.offset) for one in looked.lines}) == limit:
        errors.print(f"the newest {limit} records; --limit shows more, --since older ones less")
    for span in looked.withheld:
        errors.print(
            f"{span.topic}/{span.partition}: nobody can read the {span.end - span.start} records"
            " behind an unfinished transaction yet"
        )
    if not looked.lines and not is_spooled:
        is_all = everywhere or user is None
        errors.print(f"ampgate: {_nothing(looked, since, is_all=is_all)}", style="red")
        raise typer.Exit(1)


def _say_spooled(directory: Path | None, search: tracing.Search) -> bool:
    """Whether some wait in a spool on this machine, as those of an edge that runs elsewhere do
    there.
    """
    if directory is None or not directory.exists():
        return False
    try:
        found = spooled(directory, search)
    except (OSError, sqlite3.Error) as error:
        errors.print(f"the spool {directory} cannot be read: {error}", markup=False)
        return False
    if found:
        since = timestamp(found[0].timestamp / 1000)
        errors.print(
            f"{len(found)} records wait in the spool {directory} since {since}:"
            " Kafka does not have them yet",
            markup=False,
        )
    return bool(found)


def _nothing(looked: tracing.Found, since: int | None, *, is_all: bool) -> str:
    """Why there is no line."""
    if looked.records:
        return f"{looked.records[0].origin} is it, and no configured destination reads its topic"
    where = "" if since is None else f" since {write_moment(since)}"
    hint = "" if is_all else " (--everywhere also finds those without their key)"
    return f"no such record is in Kafka{where}{hint}"


class Topic(StrEnum):
    """The topics, without their prefix."""

    EVENTS = "events"
    USER_PROPERTIES = "user-properties"
    GROUP_PROPERTIES = "group-properties"
    DEAD_LETTERS = "dead-letters"
    PARKED = "parked"


INCOMING = [Topic.EVENTS, Topic.USER_PROPERTIES, Topic.GROUP_PROPERTIES]


def tail(
    user: Annotated[str | None, typer.Option(help="Only this user_id, or device_id.")] = None,
    event_type: Annotated[str | None, typer.Option(help="Only events of this type.")] = None,
    source: Annotated[str | None, typer.Option(help="Only from this source.")] = None,
    topic: Annotated[
        list[Topic] | None, typer.Option(help="Only of this topic; can be repeated.")
    ] = None,
    count: Annotated[
        int | None, typer.Option("-n", "--count", min=1, help="End after so many.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show records as they come in, until Ctrl-C."""
    kafka = configuration().kafka
    names = [f"{kafka.topic_prefix}{one}" for one in topic or INCOMING]
    chosen = tailing.Filter(user, event_type, source)
    with suppress(KeyboardInterrupt):
        asyncio.run(_tail(kafka, names, chosen, count, as_json=as_json))


async def _tail(
    kafka: Kafka, topics: list[str], chosen: tailing.Filter, count: int | None, *, as_json: bool
) -> None:
    shown = 0
    waits = f"waiting for records in {', '.join(topics)}; Ctrl-C ends it"
    say = partial(errors.print, markup=False)
    told = tailing.tail(
        *(kafka, topics, chosen),
        on_ready=partial(say, waits),
        on_trouble=lambda why: say(f"{why}: waiting" if why else "Kafka answers again"),
    )
    async with aclosing(told) as records:
        async for record in records:
            line = json_line(tailing.as_shown(record)) if as_json else tailing.in_words(record)
            print(line, flush=True)  # Live, also into a pipe.
            shown += 1
            if shown == count:
                return


def _in_words(one: Whereabouts) -> str:
    place = f"{one.topic}/{one.partition}/{one.offset}"
    why = f" ({one.reason})" if one.reason else ""
    until = f" until {one.until}" if one.until else ""
    state = f"{one.state + why + until:<12}"
    what = f"{one.time}  {one.event_type or '-'}"
    return printable(f"{state} {one.destination:<16} {what}  {place}  insert_id {one.insert_id}")
