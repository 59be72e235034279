"""The tutorial is true: its commands, run in its order, print what it shows."""

import asyncio
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from ampgate.lab.kafka.ports import free_ports
from tests.docs.tables import DOCS
from tests.eventually import seen

PAGE = (DOCS / "getting-started.md").read_text()
PORTS = ("8080", "8090", "9090", "9092", "9101", "9102")
READY = re.compile(r"```text\n(ampgate is ready.*?)```", re.DOTALL)
STEP = re.compile(r"```sh\n((?:(?!```).)*)```\n\n```text\n(.*?)```", re.DOTALL)
# What differs from run to run; the token of the console's link, too.
VARIES = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=token=)\S+|\d+(?:[-:.T/]\d+)*Z?")
AMPGATE = f"{shlex.quote(sys.executable)} -m ampgate"


def steps() -> list[tuple[list[str], str]]:
    """Commands, and what they print together."""
    return [(commands(block), shown) for block, shown in STEP.findall(PAGE)]


def commands(block: str) -> list[str]:
    lines = block.replace("\\\n", " ").splitlines()
    return [line for line in lines if not line.startswith(("export ", "sleep "))]


def masked(text: str) -> str:
    lines = [" ".join(VARIES.sub("…", line).split()) for line in text.splitlines()]
    return "\n".join(line for line in lines if line)


@asynccontextmanager
async def development(directory: Path, ports: Mapping[str, str]) -> AsyncIterator[Path]:
    """`ampgate dev` in the directory; yields the file with what it prints."""
    printed = directory / "printed.txt"
    own = ("kafka", ports["9092"]), ("amplitude", ports["9101"]), ("aampe", ports["9102"])
    options = [word for name, port in own for word in (f"--{name}-port", port)]
    with printed.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ampgate", "dev", *options),
            cwd=directory,
            stdout=file,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ
            | {
                "AMPGATE_EDGE__PORT": ports["8080"],
                "AMPGATE_CONSOLE__PORT": ports["8090"],
                "AMPGATE_DELIVERY__ADMIN_PORT": ports["9090"],
            },
        )
        try:
            yield printed
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            assert await process.wait() == 0, printed.read_text()


async def run(command: str, directory: Path) -> str:
    process = await asyncio.create_subprocess_shell(
        command,
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"AMPGATE_CONFIG": ".ampgate/ampgate.toml", "NO_PROXY": "127.0.0.1"},
    )
    said, _ = await process.communicate()
    return masked(said.decode())


async def test_the_commands_print_what_the_tutorial_shows(tmp_path: Path) -> None:
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))

    def here(text: str) -> str:
        return re.sub("|".join(PORTS), lambda port: ports[port[0]], text).replace(
            ".venv/bin/ampgate", AMPGATE
        )

    async with development(tmp_path, ports) as printed:

        async def lines() -> set[str]:
            return set(masked(printed.read_text()).splitlines())

        (announced,) = READY.findall(PAGE)
        await seen(lines, set(masked(announced).splitlines()).issubset)
        for block, shown in steps():
            expected = masked(shown)
            for command in block:
                found = await printing(here(command), tmp_path, expected)
                expected = expected.removeprefix(found).lstrip("\n")
            assert expected == "", block


async def printing(command: str, directory: Path, expected: str) -> str:
    """What it prints, with which the expected has to begin; what only asks is repeated until so."""

    async def look() -> str:
        return await run(command, directory)

    def holds(found: str) -> bool:
        return found != "" and expected.startswith(found)

    if " -d " in command or " replay " in command:
        found = await look()
        assert holds(found), (command, found)
        return found
    return await seen(look, holds)
