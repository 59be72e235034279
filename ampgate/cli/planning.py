"""How the commands about plans print."""

from collections.abc import Iterable
from pathlib import Path

import orjson
import typer

from ampgate.cli.printing import printable
from ampgate.plan.checked import Wrong
from ampgate.plan.compared import Proposal
from ampgate.plan.drift import Difference
from ampgate.plan.observed import Json as Tree
from ampgate.whole_file import whole_file


def write(tree: Tree, out: Path | None) -> None:
    text = orjson.dumps(tree, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    if out is None:
        typer.echo(text, nl=False)
    else:
        with whole_file(out) as opened:
            opened.write(text.encode())


def tell(lines: Iterable[str], out: Path | None) -> None:
    if out is not None:
        with whole_file(out) as opened:
            opened.writelines(f"{line}\n".encode() for line in lines)
        return
    for line in lines:
        typer.echo(line)


def difference_in_words(one: Difference) -> str:
    by = ", ".join(f"{source} {count}" for source, count in sorted(one.sources.items()))
    times = f" ({by})" if by else ""
    return printable(f"{one.drift:<12} {one.event_type or '-'}: {one.says}{times}")


def proposal_in_words(one: Proposal) -> str:
    about = f" of {one.event_type}" if one.resource == "event-property" else ""
    fields = ", ".join(f"{name} {value}" for name, value in one.fields if value != one.name)
    return printable(f"{one.resource:<14} {one.name}{about}: {fields}")


def wrong_in_words(wrong: Wrong) -> str:
    return printable(f"line {wrong.line}: {wrong.reason}: {wrong.message}")
