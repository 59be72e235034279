"""The commands `ampgate suppress add|remove|list`."""

import asyncio
import getpass
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ampgate.cli.configuration import configuration
from ampgate.cli.options import now_ms
from ampgate.cli.printing import Json, errors, json_line, printable, progress_bar
from ampgate.cli.send import readable
from ampgate.send.lines import STANDARD_INPUT, numbered
from ampgate.suppress import suppressing
from schemas.ids import ID_CHARACTERS_MAX
from schemas.letters import timestamp
from schemas.suppressions import AT, Suppression

app = typer.Typer(
    help="Users whose records are neither stored nor delivered any more.", no_args_is_help=True
)
File = Annotated[
    Path | None,
    typer.Argument(
        parser=readable, help="A user id or @domain a line; - is standard input.", metavar="[FILE]"
    ),
]
User = Annotated[list[str] | None, typer.Option(help="A user id; may be repeated.")]
Domain = Annotated[
    list[str] | None, typer.Option(help="All addresses of this domain; may be repeated.")
]


@app.command()
def add(
    file: File = None,
    user: User = None,
    domain: Domain = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept with each.")] = "",
    by: Annotated[str, typer.Option(help="Who says so; the login's name if absent.")] = "",
    as_json: Json = False,
) -> None:
    """Suppress users or domains, and say how long Kafka keeps what it has of them."""
    kafka, names, now = configuration().kafka, _named(file, user, domain), now_ms()
    said = Suppression(reason, timestamp(now / 1000), by or _login())
    with progress_bar("suppressing", len(names)) as advance:
        asyncio.run(suppressing.add(kafka, names, said, advance))
    errors.print(f"{len(names)} suppressed; edges and deliveries know it within 5 s")
    for one in asyncio.run(suppressing.copies(kafka, now)):
        until = "for ever: it has no retention" if one.gone_by is None else f"until {one.gone_by}"
        typer.echo(json_line(one) if as_json else f"{one.topic}: copies may remain {until}")


@app.command()
def remove(file: File = None, user: User = None, domain: Domain = None) -> None:
    """Lift suppressions: what comes from now on is stored and delivered again."""
    names = _named(file, user, domain)
    with progress_bar("lifting", len(names)) as advance:
        lifted, stays = asyncio.run(suppressing.remove(configuration(), names, advance))
    typer.echo(f"{lifted} lifted")
    for name, by in stays.items():
        errors.print(f"{printable(name)} stays suppressed by {printable(by)}", markup=False)


@app.command(name="list")
def list_suppressed(as_json: Json = False) -> None:
    """All that are suppressed, with the reason, since when, and who said so."""
    for one in asyncio.run(suppressing.listed(configuration().kafka)):
        words = f"{one.name:<40} {one.since:<25} {one.by:<20} {one.reason}"
        typer.echo(json_line(one) if as_json else printable(words).rstrip())


def _named(
    file: Path | None, users: Sequence[str] | None, domains: Sequence[str] | None
) -> list[str]:
    """Who is meant, each once."""
    for user in users or ():
        if not user or user.startswith(AT):
            raise typer.BadParameter("must be a user id; --domain takes domains", param_hint="user")
    found = [*(users or ()), *map(_domain, domains or ()), *(_lines(file) if file else ())]
    if not found:
        raise typer.BadParameter("name users or domains: --user, --domain, or a file")
    for name in found:
        if len(name.removeprefix(AT)) > ID_CHARACTERS_MAX:
            longest = f"no user id is longer than {ID_CHARACTERS_MAX} characters"
            raise typer.BadParameter(f"{longest}: {printable(name[:40])}...")
    return list(dict.fromkeys(found))


def _domain(text: str) -> str:
    name = text.removeprefix(AT)
    if not name or AT in name:
        raise typer.BadParameter("must be a domain, as in shop.example", param_hint="domain")
    return AT + name


def _lines(file: Path) -> Iterator[str]:
    with sys.stdin.buffer if file == STANDARD_INPUT else file.open("rb") as opened:
        for number, line in numbered(opened):
            try:
                name = line.decode().strip()
            except UnicodeDecodeError:
                raise typer.BadParameter(f"line {number} is not UTF-8") from None
            if name and not name.strip(AT):
                raise typer.BadParameter(f"line {number} names nobody")
            if name:
                yield name


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # A container's user may have no name.
        return ""
