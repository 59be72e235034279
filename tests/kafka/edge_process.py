"""The edge as it is run: a process of its own, its configuration in a file."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from ampgate import topics
from schemas.configuration.config import Kafka
from tests.eventually import DEADLINE_SECONDS, eventually, seen
from tests.loopback import TRUST_NOBODY

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
    trust: ssl.SSLContext | None = None  # Of its clients, where it serves HTTPS.

    @property
    def url(self) -> str:
        return f"{'http' if self.trust is None else 'https'}://127.0.0.1:{self.port}"

    def client(self) -> httpx.AsyncClient:
        """No limit on connections, none is closed for being idle, and no proxy."""
        limits = httpx.Limits(max_connections=None, keepalive_expiry=None)
        return httpx.AsyncClient(
            base_url=self.url,
            timeout=DEADLINE_SECONDS,
            limits=limits,
            trust_env=False,
            verify=TRUST_NOBODY if self.trust is None else self.trust,
        )

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    async def ready(self) -> None:
        async with self.client() as client:

            async def status() -> int | None:
                assert self.process.poll() is None, self.said.read_text()
                try:
                    return (await client.get("/readyz")).status_code
                except httpx.TransportError:
                    return None

            await seen(status, lambda found: found == 200)

    async def holds_bytes(self) -> None:
        """Return once a request is on its way to Kafka."""
        await seen(self.metrics, lambda text: "\nampgate_edge_inflight_bytes 0.0\n" not in text)

    async def metrics(self) -> str:
        async with self.client() as client:
            return (await client.get("/metrics")).text

    async def stop(self) -> int:
        """Its exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, DEADLINE_SECONDS)

    async def says(self, words: str, times: int = 1) -> None:
        await eventually(lambda: self.said.read_text().count(words) >= times)

    def reload(self, configuration: str) -> None:
        """SIGHUP with this one; in one step, as a worker may still read for an earlier signal."""
        replacement = self.file.with_suffix(".new")
        replacement.write_text(configuration)
        replacement.replace(self.file)
        self.process.send_signal(signal.SIGHUP)


def start(file: Path, port: int, trust: ssl.SSLContext | None = None) -> EdgeProcess:
    said = file.with_suffix(f".{os.urandom(4).hex()}.log")
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ampgate", "edge"],
            env=os.environ | {"AMPGATE_CONFIG": str(file)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return EdgeProcess(process, file, port, said, trust)


@asynccontextmanager
async def running(
    directory: Path,
    bootstrap_servers: str,
    prefix: str,
    port: int,
    *,
    workers: int = 1,
    more: str = "",
    trust: ssl.SSLContext | None = None,
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
    edge = start(file, port, trust)
    try:
        await edge.ready()
        if workers > 1:
            await eventually(lambda: len(edge.workers()) == workers)
        yield edge
    finally:
        edge.process.kill()
        edge.process.wait()


async def create_topics(bootstrap_servers: str, prefix: str) -> None:
    kafka = Kafka(bootstrap_servers=bootstrap_servers, topic_prefix=prefix)
    await topics.create(kafka, partitions=2)
