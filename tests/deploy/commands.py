"""Whether a command of the image or of docker compose exists."""

from pathlib import Path
from typing import Any

from typer.main import get_command

from ampgate.cli.main import app

ROOT = Path(__file__).parents[2]
LAB_COMMANDS = {"dev", "simulate", "chaos"}


def assert_is_command(words: list[str]) -> None:
    """Whether the command line knows these words, options too."""
    command: Any = get_command(app)
    rest = [str(word) for word in words]
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("--")} <= known
