"""The edges under measurement, each started when it is needed, and all ended together."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

from ampgate import topics
from ampgate.lab.kafka.ports import free_ports
from benchmarks.events import KEY
from benchmarks.generator import Generator
from benchmarks.processes import OURS, Tree, process, running
from schemas.configuration.file import load

PARTITIONS = 12
WARM_UP = ((1, 2_000), (100, 200))  # Events a request, requests.

CONFIGURATION = """\
[kafka]
bootstrap_servers = "{bootstrap_servers}"
topic_prefix = "edge-{partitions}."

[edge]
host = "127.0.0.1"
port = {port}
workers = {workers}
{tls}

[[sources]]
name = "bench"
write_key = "{key}"
"""


@dataclass(frozen=True, slots=True)
class Variant:
    """How an edge is configured."""

    workers: int = 1
    partitions: int = PARTITIONS
    tls: bool = False


USUAL_EDGE = Variant()


@dataclass(frozen=True, slots=True)
class Server:
    pid: int
    port: int


class Servers:
    def __init__(
        self, directory: Path, bootstrap_servers: str, reference: Path | None, generator: Generator
    ) -> None:
        self._directory = directory
        self._bootstrap_servers = bootstrap_servers
        self._reference = reference
        self._generator = generator
        self._all = ExitStack()
        self._started: dict[tuple[Tree | None, Variant], Server] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._all.close()

    def of(self, tree: Tree, variant: Variant = USUAL_EDGE) -> Server:
        found = self._started.get((tree, variant))
        if found is None:
            found = self._started[tree, variant] = self._start(tree, variant)
        return found

    def compiled(self, variant: Variant = USUAL_EDGE) -> Server:
        found = self._started.get((None, variant))
        if found is None:
            found = self._started[None, variant] = self._start_compiled(variant)
        return found

    def _start(self, tree: Tree, variant: Variant) -> Server:
        [port] = free_ports(1)
        path = self._directory / f"edge-{port}.toml"
        tls = 'tls_certfile = "{}"\ntls_keyfile = "{}"'.format(*self._certificate())
        settings = {
            "bootstrap_servers": self._bootstrap_servers,
            "partitions": variant.partitions,
            "port": port,
            "workers": variant.workers,
            "tls": tls if variant.tls else "",
            "key": KEY,
        }
        path.write_text(CONFIGURATION.format(**settings))
        asyncio.run(topics.create(load(path, {}).kafka, partitions=variant.partitions))
        ready = ready_url(port, variant)
        started = process("ampgate", "edge", ready=ready, config=path, tree=tree)
        return self._warm(Server(self._all.enter_context(started), port), variant)

    def _start_compiled(self, variant: Variant) -> Server:
        assert self._reference is not None, "there is no reference"
        self.of(OURS, variant)  # It makes the topics.
        [port] = free_ports(1)
        source = (self._bootstrap_servers, f"edge-{variant.partitions}.")
        tls = map(str, self._certificate()) if variant.tls else ()
        command = [str(self._reference), "edge", *source, str(port), KEY, *tls]
        started = running(command, ready=ready_url(port, variant))
        return self._warm(Server(self._all.enter_context(started), port), variant)

    def _certificate(self) -> tuple[Path, Path]:
        """Its file and that of its key."""
        certificate, key = self._directory / "edge.pem", self._directory / "edge.key"
        if not certificate.exists():
            issued = trustme.CA().issue_cert("127.0.0.1")
            issued.cert_chain_pems[0].write_to_path(str(certificate))
            issued.private_key_pem.write_to_path(str(key))
        return certificate, key

    def _warm(self, server: Server, variant: Variant) -> Server:
        way = "tls" if variant.tls else "kept"
        for per_request, requests in WARM_UP:
            self._generator.load(server.port, per_request, requests, way=way)
        return server


def ready_url(port: int, variant: Variant) -> str:
    return f"{'https' if variant.tls else 'http'}://127.0.0.1:{port}/readyz"
