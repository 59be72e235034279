"""The edge: HTTP in, acknowledged by Kafka out."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from ampgate import topics
from ampgate.lab.kafka.ports import free_ports
from benchmarks.events import KEY
from benchmarks.goals import BATCH, PACED, SINGLE
from benchmarks.processes import cpu_seconds, process, rss_megabytes, running
from benchmarks.requests import REQUESTS, USUAL
from benchmarks.row import Figures, Report, Round, Rounds, compared, in_turns, row
from schemas.configuration.file import load

SINGLES = 12_000
BATCH_EVENTS = 100
BATCHES = 1_500
PACED_BATCHES = 3_000
PACED_SHARE = 0.8
PARTITIONS = 12
GO = ", Go"
WORKERS = ", 2 workers"

CONFIGURATION = """\
[kafka]
bootstrap_servers = "{bootstrap_servers}"
topic_prefix = "edge."

[edge]
host = "127.0.0.1"
port = {port}
workers = {workers}

[[sources]]
name = "bench"
write_key = "{key}"
"""


@dataclass(frozen=True, slots=True)
class Server:
    pid: int
    port: int


class Load(msgspec.Struct):
    """What `benchmarks.load` prints."""

    events: int
    failures: int
    seconds: float
    busy: float
    p99_ms: float


def measure(directory: Path, bootstrap_servers: str, reference: Path | None) -> Report:
    with ExitStack() as started:
        servers = {
            "": started.enter_context(ours(directory, bootstrap_servers, workers=1)),
            WORKERS: started.enter_context(ours(directory, bootstrap_servers, workers=2)),
        }
        if reference is not None:
            servers[GO] = started.enter_context(compiled(reference, bootstrap_servers))
        for server in servers.values():  # To warm up.
            load_with(server.port, 1, 2_000)
            load_with(server.port, BATCH_EVENTS, 200)
        found = unpaced(servers)
        del servers[WORKERS]
        found |= paced(servers)
        found |= in_turns(loads(servers[""]))
    return report(found)


@contextmanager
def ours(directory: Path, bootstrap_servers: str, *, workers: int) -> Iterator[Server]:
    [port] = free_ports(1)
    path = directory / f"edge-{workers}.toml"
    settings = {"bootstrap_servers": bootstrap_servers, "port": port, "workers": workers}
    path.write_text(CONFIGURATION.format(**settings, key=KEY))
    asyncio.run(topics.create(load(path, {}).kafka, partitions=PARTITIONS))
    ready = f"http://127.0.0.1:{port}/readyz"
    with process("ampgate", "edge", ready=ready, config=path) as pid:
        yield Server(pid, port)


@contextmanager
def compiled(reference: Path, bootstrap_servers: str) -> Iterator[Server]:
    [port] = free_ports(1)
    command = [str(reference), "edge", bootstrap_servers, "edge.events", str(port), KEY]
    with running(command, ready=f"http://127.0.0.1:{port}/readyz") as pid:
        yield Server(pid, port)


def unpaced(servers: Mapping[str, Server]) -> dict[str, list[Figures]]:
    single = {f"{SINGLE}{of}": partial(cost, at, 1, SINGLES) for of, at in servers.items()}
    batch = {f"{BATCH}{of}": partial(cost, at, BATCH_EVENTS, BATCHES) for of, at in servers.items()}
    return in_turns({**single, **batch})


def loads(server: Server) -> dict[str, Round]:
    """What comes from the field besides the usual, so many events a request."""
    singles = {(1, kind): SINGLES // 3 for kind in REQUESTS}
    batches = {(BATCH_EVENTS, kind): BATCHES // 5 for kind in REQUESTS if kind != "Aampe"}
    sizes = {(10, USUAL): SINGLES // 10, (1_000, USUAL): BATCHES // 30}
    return {
        load_name(per_request, kind): partial(cost, server, per_request, requests, kind=kind)
        for (per_request, kind), requests in {**singles, **batches, **sizes}.items()
    }


def load_name(per_request: int, kind: str = USUAL) -> str:
    return f"edge, {per_request:,} a request, {kind}"


def paced(servers: Mapping[str, Server]) -> dict[str, list[Figures]]:
    """At the same rate for all: 80 % of what ours does at most, as measured before each round.

    A rate of a faster minute is more than a slower one can serve: then the requests queue, and the
    latency is that of the queue.
    """

    rate = 0.0

    def measure(name: str, server: Server) -> Figures:
        nonlocal rate
        if name == "":
            most = load_with(server.port, BATCH_EVENTS, BATCHES)
            rate = PACED_SHARE * most.events / most.seconds / BATCH_EVENTS
        return cost(server, BATCH_EVENTS, PACED_BATCHES, rate)

    ordered = {f"{PACED}{of}": partial(measure, of, at) for of, at in servers.items()}
    return in_turns(ordered)


def report(found: Rounds) -> Report:
    rows, scaling = [], []
    for name in (SINGLE, BATCH, PACED):
        if (compiled := f"{name}{GO}") in found:
            rows += [row(name, found, ratio_to=compiled), row(compiled, found)]
        else:
            rows.append(row(name, found))
        if (workers := f"{name}{WORKERS}") in found:
            scaling += compared([name, workers], found)
    for per_request in (1, BATCH_EVENTS):
        usual = load_name(per_request)
        alike = [name for name in found if name.startswith(usual.removesuffix(USUAL))]
        scaling += compared([usual, *(name for name in alike if name != usual)], found)
    for per_request in (10, 1_000):
        scaling += compared([load_name(BATCH_EVENTS), load_name(per_request)], found)[1:]
    return Report(rows, scaling)


def cost(
    server: Server, per_request: int, requests: int, rate: float = 0.0, *, kind: str = USUAL
) -> Figures:
    before = cpu_seconds(server.pid)
    load = load_with(server.port, per_request, requests, rate, kind)
    cpu = cpu_seconds(server.pid) - before
    assert not load.failures, f"{load.failures} requests failed"
    return Figures(
        microseconds_per_event=cpu / load.events * 1e6,
        events=load.events,
        seconds=load.seconds,
        rss_megabytes=rss_megabytes(server.pid),
        other_end_busy=load.busy,
        p99_ms=load.p99_ms,
    )


def load_with(
    port: int, per_request: int, requests: int, rate: float = 0.0, kind: str = USUAL
) -> Load:
    arguments = map(str, (port, per_request, requests, rate, kind))
    command = [sys.executable, "-m", "benchmarks.load", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=300)
    return msgspec.json.decode(done.stdout, type=Load)
