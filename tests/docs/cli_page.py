"""docs/cli.md, of what the commands say of themselves; `python -m tests.docs.tables` writes it."""

from collections.abc import Iterator
from typing import Any

from typer import Context
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from ampgate.cli.main import app

NAME = "ampgate"
HEAD = """\
# Command line

You want to know what a command does and which options it has. `ampgate COMMAND --help` says the
same; this page is made of it.

- Commands read `ampgate.toml`, or the file that `AMPGATE_CONFIG` names.
- Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
- `--json` prints one JSON object a line, for scripts.
- A `TIME` is ISO 8601 (UTC unless it says otherwise), how long ago (`15m`, `2h`, `7d`), `now`, or
  seconds or milliseconds since 1970.
- `ampgate --install-completion` completes commands and options in your shell.

What to use when: [Everyday questions](operating.md).
"""


def page() -> str:
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    return "\n".join([HEAD, *sorted(of_group(root, Context(root, info_name=NAME), NAME))])


def of_group(group: TyperGroup, context: Context, name: str) -> Iterator[str]:
    for command in group.commands.values():
        own = Context(command, info_name=command.name, parent=context)
        if isinstance(command, TyperGroup):
            yield from of_group(command, own, f"{name} {command.name}")
        elif isinstance(command, TyperCommand):
            yield of_command(command, own, f"{name} {command.name}")


def of_command(command: TyperCommand, context: Context, name: str) -> str:
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    options = [f"- `{record[0]}`: {record[1]}" for record in records if record][:-1]  # Not --help.
    return "\n".join([f"## `{name}`\n\n{command.help}\n\n```text\n{usage}\n```\n", *options, ""])


def helps(command: Any) -> Iterator[str]:  # noqa: ANN401  typer says nothing of what it makes.
    """Each text that `--help` shows, of a command and of those below it."""
    yield command.help or ""
    yield from (getattr(parameter, "help", None) or "" for parameter in command.params)
    for below in getattr(command, "commands", {}).values():
        yield from helps(below)
