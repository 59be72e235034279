"""The edge: HTTP in, acknowledged by Kafka out."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ampgate import topics
from ampgate.kafka_ports import free_ports
from benchmarks.events import KEY
from benchmarks.processes import cpu_seconds, process, rss_megabytes
from benchmarks.row import Row, row
from schemas.config_file import load

SINGLES = 20_000
BATCH = 100
BATCHES = 3_000
PACED_SHARE = 0.8

CONFIGURATION = """\
[kafka]
bootstrap_servers = "{bootstrap_servers}"
topic_prefix = "edge."

[edge]
host = "127.0.0.1"
port = {port}

[[sources]]
name = "bench"
write_key = "{key}"
"""


def measure(directory: Path, bootstrap_servers: str) -> list[Row]:
    [port] = free_ports(1)
    path = directory / "edge.toml"
    path.write_text(CONFIGURATION.format(bootstrap_servers=bootstrap_servers, port=port, key=KEY))
    asyncio.run(topics.create(load(path, {}).kafka, partitions=12))
    ready = f"http://127.0.0.1:{port}/readyz"
    with process("ampgate", "edge", ready=ready, config=path) as pid:
        load_with(port, 1, 2_000)  # To warm up.
        single = measured("edge, one event a request", pid, port, 1, SINGLES)
        load_with(port, BATCH, 200)
        batch = measured("edge, 100 events a request", pid, port, BATCH, BATCHES)
        rate = PACED_SHARE * batch.events_per_second / BATCH
        name = "edge, 100 events a request, at 80 % of saturation"
        paced = measured(name, pid, port, BATCH, BATCHES, rate)
    return [single, batch, paced]


def measured(
    name: str, pid: int, port: int, per_request: int, requests: int, rate: float = 0.0
) -> Row:
    before = cpu_seconds(pid)
    figures = load_with(port, per_request, requests, rate)
    cpu = cpu_seconds(pid) - before
    assert not figures["failures"], f"{figures['failures']} requests failed"
    return row(
        name,
        cpu=cpu,
        events=figures["events"],
        seconds=figures["seconds"],
        p99_ms=figures["p99_ms"],
        rss=rss_megabytes(pid),
    )


def load_with(port: int, per_request: int, requests: int, rate: float = 0.0) -> dict[str, Any]:
    arguments = map(str, (port, per_request, requests, rate))
    command = [sys.executable, "-m", "benchmarks.load", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=300)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures
