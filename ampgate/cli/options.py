"""Options that several commands take."""

import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ampgate.cli.moments import read_moment


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def moment(text: str) -> int:
    """An option's value; a wrong one is wrong usage."""
    try:
        return read_moment(text, now_ms())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@dataclass(frozen=True, slots=True)
class When:
    """A moment as it was written: a command that goes on with a run means the run's `2h` ago."""

    text: str

    def ms(self, now_ms: int) -> int:
        return read_moment(self.text, now_ms)


def when(text: str) -> When:
    """An option's value, as `moment`."""
    moment(text)
    return When(text)


def new_file(text: str) -> Path:
    """An option's value: a file that is written at the end, so its folder is looked for now."""
    file = Path(text)
    if not file.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder for {text}")
    if file.is_dir():
        raise typer.BadParameter(f"{text} is a folder")
    return file


def say_where_it_stops() -> None:
    """SIGTERM, of `timeout` or a container's end, interrupts as Ctrl-C does.

    Not where Ctrl-C is ignored, as in a shell's background.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with suppress(ValueError):  # Not the main thread: a program runs us in itself.
            signal.signal(
                signal.SIGTERM, lambda _number, _frame: signal.raise_signal(signal.SIGINT)
            )


WORDS = "ISO 8601, a time ago such as 2h, or now."
Since = Annotated[
    int | None, typer.Option(parser=moment, metavar="TIME", help=f"From then: {WORDS}")
]
Until = Annotated[int | None, typer.Option(parser=moment, metavar="TIME", help=f"Before: {WORDS}")]
From = Annotated[
    When, typer.Option("--from", parser=when, metavar="TIME", help=f"From then: {WORDS}")
]
To = Annotated[
    When, typer.Option("--to", parser=when, metavar="TIME", help="Before then; as --from.")
]
Rate = Annotated[float | None, typer.Option(min=0.001, help="Records a second, at most.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, even at a terminal.")]


def require_consent(question: str, *, yes: bool) -> bool:
    """Ask for confirmation at a terminal; whether somebody was asked, as a script is not."""
    is_asked = not yes and sys.stdin.isatty()
    if is_asked:
        typer.confirm(question, abort=True, err=True)
    return is_asked
