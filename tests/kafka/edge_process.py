"""The edge as it is run: a process of its own, its configuration in a file."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.topics import Topics

READY_SECONDS = 60.0
KEY = {"authorization": "Bearer secret"}
CONFIGURATION = """\
[kafka]
bootstrap_servers = "{bootstrap_servers}"
topic_prefix = "{prefix}"

[edge]
host = "127.0.0.1"
port = {port}
workers = {workers}
{more}

[[sources]]
name = "shop"
write_key = "secret"
"""


@dataclass(frozen=True, slots=True)
class EdgeProcess:
    process: subprocess.Popen[bytes]
    file: Path
    port: int
    said: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx.AsyncClient:
        # No limit on connections, and no proxy.
        limits = httpx.Limits(max_connections=None)
        return httpx.AsyncClient(base_url=self.url, timeout=30, limits=limits, trust_env=False)

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    async def ready(self) -> None:
        async with asyncio.timeout(READY_SECONDS), self.client() as client:
            while True:
                assert self.process.poll() is None, self.said.read_text()
                try:
                    if (await client.get("/readyz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)

    async def holds_bytes(self) -> None:
        """Return once a request is on its way to Kafka."""
        async with asyncio.timeout(READY_SECONDS), self.client() as client:
            while True:
                if "\nampgate_edge_inflight_bytes 0.0\n" not in (await client.get("/metrics")).text:
                    return
                await asyncio.sleep(0.02)

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 15)

    async def says(self, words: str) -> None:
        await eventually(lambda: words in self.said.read_text())


def start(file: Path, port: int) -> EdgeProcess:
    said = file.with_suffix(f".{os.urandom(4).hex()}.log")
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ampgate", "edge"],
            env=os.environ | {"AMPGATE_CONFIG": str(file)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return EdgeProcess(process, file, port, said)


@asynccontextmanager
async def running(
    directory: Path,
    bootstrap_servers: str,
    prefix: str,
    port: int,
    *,
    workers: int = 1,
    more: str = "",
) -> AsyncIterator[EdgeProcess]:
    file = directory / "ampgate.toml"
    file.write_text(
        CONFIGURATION.format(
            bootstrap_servers=bootstrap_servers,
            prefix=prefix,
            port=port,
            workers=workers,
            more=more,
        )
    )
    edge = start(file, port)
    try:
        await edge.ready()
        yield edge
    finally:
        edge.process.kill()
        edge.process.wait()


async def eventually(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for what no event tells."""
    async with asyncio.timeout(seconds):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


async def create_topics(bootstrap_servers: str, prefix: str) -> None:
    topics = Topics(prefix)
    names = [topics.events, topics.user_properties, topics.group_properties]
    names += [topics.dead_letters, topics.probe]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 2, 1) for name in names])
    finally:
        await admin.close()
