"""What both kinds of replay do alike: write records, and say what became of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import typer

from ampgate.cli.printing import errors, printable, progress_bar
from ampgate.resend.parking import Outgoing, named
from ampgate.resend.writer import Writer, writer
from schemas.configuration.config import Kafka


def say_refused(record: Outgoing, why: str) -> None:
    errors.print(printable(f"{named(record)}: not sent again: {why}"), style="red", markup=False)


@asynccontextmanager
async def resending(kafka: Kafka, total: int, *, rate: float | None) -> AsyncIterator[Writer]:
    """A writer with a progress bar; it says which records Kafka refuses."""
    with progress_bar("replaying", total) as advance:
        async with writer(kafka, rate=rate, on_written=advance, on_refused=say_refused) as writing:
            yield writing


def say_written(writing: Writer, *, as_json: bool) -> None:
    if not as_json:
        typer.echo(f"{writing.written} records written; the delivery sends them now")
