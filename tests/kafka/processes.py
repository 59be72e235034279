"""The edge and the delivery as an operator runs them: processes with a file and an environment."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.eventually import seen
from tests.loopback import loopback_client

DEADLINE_SECONDS = 60.0


class Process:
    """One command of ours; what it says on standard error is kept."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ampgate", *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=os.environ | environment,
        )
        self.said = ""

    def until_it_says(self, words: str) -> None:
        assert self._process.stderr is not None
        deadline = time.monotonic() + DEADLINE_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stderr, selectors.EVENT_READ)
            while words not in self.said:
                assert selector.select(deadline - time.monotonic()), f"no {words!r}:\n{self.said}"
                found = os.read(self._process.stderr.fileno(), 65_536)
                assert found, f"it ended without {words!r}:\n{self.said}"
                self.said += found.decode()

    def stop(self) -> int:
        """Its exit code after SIGTERM, or the one that it had before."""
        self._process.send_signal(signal.SIGTERM)
        _, rest = self._process.communicate(timeout=DEADLINE_SECONDS)
        self.said += rest.decode()
        return self._process.returncode

    @property
    def alive(self) -> bool:
        return self._process.poll() is None


@contextmanager
def running(
    *arguments: str, configuration: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Process]:
    environment = {"AMPGATE_CONFIG": str(configuration)} | dict(environment or {})
    process = Process(list(arguments), environment)
    try:
        yield process
    finally:
        if process.alive:
            process.stop()


def command(*arguments: str, configuration: Path) -> subprocess.CompletedProcess[str]:
    """A command of ours that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "ampgate", *arguments],
        env=os.environ | {"AMPGATE_CONFIG": str(configuration)},
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * DEADLINE_SECONDS,
    )


async def until_answers(url: str, status: int) -> None:
    """Ask until the answer has that status."""
    async with loopback_client(timeout=5) as client:

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
