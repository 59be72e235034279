"""How the commands print: records for machines to stdout, words for people beside it."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

Json = Annotated[bool, typer.Option("--json", help="Print NDJSON, one record a line.")]


def json_line(record: Any, **more: object) -> str:  # noqa: ANN401  Any dataclass.
    # The keys of counts are often enum members.
    return json_text(dataclasses.asdict(record) | more, orjson.OPT_NON_STR_KEYS)


def json_text(value: object, option: int = 0) -> str:
    """As JSON; also integers of more than 64 bits, which records and answers of others may have."""
    try:
        return orjson.dumps(value, option=option).decode()
    except TypeError:
        indent = 2 if option & orjson.OPT_INDENT_2 else None
        return json.dumps(value, ensure_ascii=False, indent=indent)


def printable(text: str) -> str:
    """Text of others, made safe for a terminal: it must not move the cursor or change colours."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def warn(words: str) -> None:
    """Say that something is wrong or late, while the command goes on."""
    errors.print(printable(words), style="yellow", markup=False)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar, at a terminal; yields the function to call with each advance."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=errors, disable=not errors.is_terminal, transient=True
    ) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)
