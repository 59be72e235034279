"""The commands `ampgate dead-letters list|show|replay`."""

import asyncio
import base64
from collections.abc import Mapping
from functools import partial
from typing import Annotated

import orjson
import typer

from ampgate.archive.archive import archive
from ampgate.cli.configuration import configuration
from ampgate.cli.moments import write_moment
from ampgate.cli.options import Rate, Since, Until, Yes, now_ms, require_consent, say_where_it_stops
from ampgate.cli.printing import Json, errors, json_line, printable
from ampgate.cli.resending import resending, say_written
from ampgate.resend import dead_letters, letter_replay
from ampgate.resend.dead_letters import Filter, Group, Letter
from ampgate.resend.letter_replay import Plan
from ampgate.resend.parking import EDGE, Run, replayed_times
from ampgate.resend.turn import turn
from schemas.configuration.config import Config
from schemas.letters import TRUNCATED
from schemas.records import Stored

app = typer.Typer(help="What could not be delivered, and why.", no_args_is_help=True)

Destination = Annotated[str | None, typer.Option(help="Of this destination; `edge` for its own.")]
Reason = Annotated[str | None, typer.Option(help="Of this reason.")]


@app.command("list")
def list_(
    destination: Destination = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    each: Annotated[
        bool, typer.Option("--each", help="Every letter with its origin, one a line.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Count dead letters by destination and reason; with --each or --json, name every one."""
    chosen, config = _filter(destination, reason, None, since, until), configuration()
    if each or as_json:
        say = json_line if as_json else _letter_in_words
        found = asyncio.run(dead_letters.each(config, chosen, lambda one: typer.echo(say(one))))
    else:
        groups = asyncio.run(dead_letters.list_groups(config, chosen))
        for group in groups:
            typer.echo(_group_in_words(group))
        found = len(groups)
    if not found:
        _require_known(config, destination)
        errors.print("no dead letter matches")


@app.command()
def show(
    origin: Annotated[str, typer.Argument(help="topic/partition/offset, as `list` names it.")],
    as_json: Json = False,
) -> None:
    """Print all letters of one record, whole."""
    letters = asyncio.run(dead_letters.show(configuration(), origin))
    for letter in letters:
        facts = _facts(letter)
        typer.echo(orjson.dumps(facts).decode() if as_json else _facts_in_words(facts))
    if not letters:
        errors.print(f"ampgate: no dead letter is of {origin}", style="red", markup=False)
        raise typer.Exit(1)


@app.command()
def replay(
    destination: Destination = None,
    reason: Reason = None,
    origin: Annotated[str | None, typer.Option(help="The letters of this record.")] = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    rate: Rate = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also those that died again after several replays.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send them again, each to the destination where it died; run it again to go on."""
    say_where_it_stops()
    chosen = _filter(destination, reason, origin, since, until)
    replaying = _replay(
        *(configuration(), chosen, rate),
        force=force,
        dry_run=dry_run,
        yes=yes,
        as_json=as_json,
    )
    try:
        is_done = asyncio.run(replaying)
    except KeyboardInterrupt:
        # A time ago means another time when it is called again.
        times = (("--since", since), ("--until", until))
        given = "".join(f" {name} {write_moment(ms)}" for name, ms in times if ms is not None)
        errors.print(
            "ampgate: interrupted; the same command goes on with the rest"
            + (f", with{given}" if given else ""),
            style="red",
        )
        raise typer.Exit(1) from None
    if not is_done:
        raise typer.Exit(1)


async def _replay(
    config: Config,
    chosen: Filter,
    rate: float | None,
    *,
    force: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> bool:
    """Whether all was sent that can be, and it was not nothing of what was asked for."""
    async with archive(config.kafka) as kafka:
        prepared = await letter_replay.prepare(config, kafka, chosen, force=force)
        plan = await prepared.plan(kafka)
        if not plan.to_send and not plan.left:
            _require_known(config, chosen.destination)
        typer.echo(json_line(plan, dry_run=dry_run) if as_json else _plan_in_words(plan))
        if dry_run or not plan.total:
            return not plan.failed
        require_consent(f"Send {plan.total} dead letters again?", yes=yes)
        async with turn(config.kafka, kafka, partial(errors.print, markup=False)):
            # Others may have replayed some since the plan was made.
            prepared = await letter_replay.prepare(config, kafka, chosen, force=force)
            run = Run(config.kafka.topics.parked, now_ms())
            async with resending(config.kafka, plan.total, rate=rate) as writing:
                await prepared.send(kafka, run, writing)
    say_written(writing, as_json=as_json)
    return not writing.refused


def _filter(
    destination: str | None,
    reason: str | None,
    origin: str | None,
    since: int | None,
    until: int | None,
) -> Filter:
    if since is not None and until is not None and since >= until:
        raise typer.BadParameter("--since is not before --until")
    return Filter(destination, reason, origin, since, until)


def _require_known(config: Config, destination: str | None) -> None:
    """A name that neither the configuration nor a letter has is a mistake, and not good news."""
    if destination not in (None, EDGE, *(one.name for one in config.destinations)):
        raise typer.BadParameter(
            f"no dead letter matches, and no destination is called {destination}"
        )


def _group_in_words(group: Group) -> str:
    more = [
        f"{count} {what}"
        for count, what in (
            (group.replayed, "replayed"),
            (group.died_again, "died again"),
            (group.truncated, "truncated"),
        )
        if count
    ]
    return printable(
        f"{group.count:>8} {group.destination:<16} {group.reason:<20}"
        f" {group.first} … {group.last}  such as {group.sample_origin}"
        + (f"  ({', '.join(more)})" if more else "")
    )


def _letter_in_words(letter: Letter) -> str:
    marks = [
        name.replace("_", " ")
        for name in ("replayed", "died_again", "truncated")
        if getattr(letter, name)
    ]
    return printable(
        f"{letter.time} {letter.destination:<16} {letter.reason:<20} {letter.origin}"
        + (f"  ({', '.join(marks)})" if marks else "")
        + (f"  {letter.detail}" if letter.detail else "")
    )


def _facts(letter: Stored) -> dict[str, object]:
    """The whole letter; values that are not UTF-8 in Base64, and marked."""
    value = letter.value
    text: str | None
    try:
        text, encoding = value.decode() if value is not None else None, "utf-8"
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(value or b"").decode(), "base64"
    return {
        "letter": letter.origin,
        "time": write_moment(letter.timestamp),
        "key": None if letter.key is None else letter.key.decode(errors="replace"),
        "died_again": replayed_times(letter) > 0,
        "headers": {
            name: (value or b"").decode(errors="replace") for name, value in letter.headers
        },
        "value": text,
        "encoding": encoding,
    }


def _facts_in_words(facts: Mapping[str, object]) -> str:
    headers = facts["headers"]
    assert isinstance(headers, dict)
    again = " (died again after a replay)" if facts["died_again"] else ""
    if TRUNCATED in headers:
        again += " (truncated: its topic does not take the whole record)"
    lines = [
        f"dead letter {facts['letter']}{again}",
        *(f"  {name + ':':<17}{value}" for name, value in headers.items()),
        f"  {'written:':<17}{facts['time']}",
        f"  {'key:':<17}{facts['key']}",
        f"{facts['value']}",
    ]
    return "\n".join(printable(line) for line in lines) + "\n"


def _plan_in_words(plan: Plan) -> str:
    lines = [f"{n:>8} to send to {destination}" for destination, n in plan.to_send.items()]
    lines += [f"{count:>8} left: {why}" for why, count in plan.left.items()]
    return "\n".join(lines) or "no dead letter matches"
