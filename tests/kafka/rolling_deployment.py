"""A deployment that grows, shrinks, restarts and reloads while it is loaded."""

import asyncio
import itertools
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ampgate.lab.kafka.ports import free_ports
from schemas.configuration.config import Config
from tests.eventually import DEADLINE_SECONDS, eventually
from tests.kafka.processes import until_answers

PARTITIONS = 6
IDS = {"amplitude": "insert_id", "aampe": "event_id"}


@dataclass
class Deployment:
    """The delivery's processes, one configuration, and where the destinations are."""

    config: Config
    directory: Path
    urls: dict[str, str]
    processes: list[Process] = field(default_factory=list)
    names: Iterator[int] = field(default_factory=itertools.count)
    reloads: Iterator[int] = field(default_factory=itertools.count)

    @property
    def file(self) -> Path:
        return self.directory / "ampgate.toml"

    def write(self, concurrency: int) -> None:
        kafka = self.config.kafka
        self.file.write_text(
            f'[kafka]\nbootstrap_servers = "{kafka.bootstrap_servers}"\n'
            f'topic_prefix = "{kafka.topic_prefix}"\n'
            '[delivery]\nadmin_host = "127.0.0.1"\nadmin_port = 0\n'
            '[[destinations]]\ntype = "amplitude"\nname = "amplitude-us"\napi_key = "k"\n'
            f'base_url = "{self.urls["amplitude"]}"\n'
            '[[destinations]]\ntype = "aampe"\nname = "aampe-us"\napi_key = "k"\n'
            f'region = "us-east1"\nconcurrency = {concurrency}\nbase_url = "{self.urls["aampe"]}"\n'
        )

    async def start(self) -> Process:
        log = self.directory / f"delivery-{next(self.names)}.log"
        process = await spawned(["deliver"], log, {"AMPGATE_CONFIG": str(self.file)})
        self.processes.append(process)
        await eventually(lambda: log.read_text().count("partitions assigned") >= 2)
        return process

    async def stop(self, process: Process) -> None:
        self.processes.remove(process)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), DEADLINE_SECONDS) == 0

    async def reload(self, process: Process) -> None:
        """With another limit for Aampe: its workers are replaced, Amplitude's go on."""
        said = self._said("configuration reloaded")
        self.write(concurrency=200 + next(self.reloads) % 2)
        process.send_signal(signal.SIGHUP)
        await eventually(lambda: self._said("configuration reloaded") > said)

    def _said(self, words: str) -> int:
        return sum(log.read_text().count(words) for log in self.directory.glob("delivery-*.log"))

    def warnings(self) -> list[str]:
        words = ("[warning", "[error", "[critical", "Traceback")
        return [
            f"{log.name}: {line}"
            for log in sorted(self.directory.glob("delivery-*.log"))
            for line in log.read_text().splitlines()
            if any(word in line for word in words)
        ]


async def spawned(arguments: Sequence[str], log: Path, environment: dict[str, str]) -> Process:
    with log.open("wb") as said:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ampgate", *arguments),
            env=os.environ | environment,
            stdout=said,
            stderr=said,
        )


@asynccontextmanager
async def simulated(directory: Path) -> AsyncIterator[dict[str, str]]:
    """Both destinations, each in a process of its own."""
    ports = dict(zip(IDS, free_ports(2), strict=True))
    running = [
        await spawned(
            ["simulate", kind, "--port", str(port)], directory / f"simulator-{kind}.log", {}
        )
        for kind, port in ports.items()
    ]
    urls = {kind: f"http://127.0.0.1:{port}" for kind, port in ports.items()}
    try:
        for url in urls.values():
            await until_answers(f"{url}/_stats", 200)
        yield urls
    finally:
        for process in running:
            process.kill()
            await process.wait()
