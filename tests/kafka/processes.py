"""The edge and the delivery as an operator runs them: processes with a file and an environment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.eventually import DEADLINE_SECONDS, PAUSE_SECONDS, seen
from tests.loopback import loopback_client


class Process:
    """One command of ours; what it says on standard error goes to a file, so it never waits."""

    def __init__(
        self, arguments: Sequence[str], said: Path, environment: Mapping[str, str]
    ) -> None:
        self._said = said
        with said.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ampgate", *arguments],
                stderr=output,
                stdout=subprocess.DEVNULL,
                env=os.environ | environment,
            )

    @property
    def said(self) -> str:
        return self._said.read_text()

    def until_it_says(self, words: str) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while words not in self.said:
            assert self.alive, f"it ended without {words!r}:\n{self.said}"
            assert time.monotonic() < deadline, f"no {words!r}:\n{self.said}"
            time.sleep(PAUSE_SECONDS)

    def stop(self) -> int:
        """Its exit code after SIGTERM, or the one that it had before."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(DEADLINE_SECONDS)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None


@contextmanager
def running(
    *arguments: str, configuration: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Process]:
    environment = {"AMPGATE_CONFIG": str(configuration)} | dict(environment or {})
    said = configuration.with_suffix(f".{arguments[0]}-{os.urandom(4).hex()}.log")
    process = Process(arguments, said, environment)
    try:
        yield process
    finally:
        process.kill()


def command(*arguments: str, configuration: Path) -> subprocess.CompletedProcess[str]:
    """A command of ours that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "ampgate", *arguments],
        env=os.environ | {"AMPGATE_CONFIG": str(configuration)},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )


async def until_answers(url: str, status: int) -> None:
    """Ask until the answer has that status."""
    async with loopback_client() as client:

        async def answer() -> int | httpx.TransportError:
            try:
                return (await client.get(url)).status_code
            except httpx.TransportError as error:
                return error

        await seen(answer, lambda found: found == status)


async def post(url: str, event: object, write_key: str) -> int:
    """The status of the answer."""
    bearer = {"authorization": f"Bearer {write_key}"}
    async with loopback_client() as client:
        return (await client.post(url, json=event, headers=bearer)).status_code
