"""How the commands print: records for machines to stdout, words for people beside it."""

import dataclasses
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

errors = Console(stderr=True, highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Print NDJSON, one record a line.")]


def json_line(record: Any, **more: object) -> str:  # noqa: ANN401  Any dataclass.
    return orjson.dumps(dataclasses.asdict(record) | more).decode()
