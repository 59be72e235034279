"""One run of a delivery: a new consumer group, from a topic's beginning, to a sink of its own."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ampgate.lab.kafka.ports import free_ports
from benchmarks.events import KEY
from benchmarks.preload import preload
from benchmarks.processes import cpu_seconds, get, process, rss_megabytes, running
from benchmarks.row import Figures
from schemas.configuration.config import Kafka

FIRST_POLL_SECONDS = 0.02
POLL_SECONDS = 0.1  # To tell its metrics costs the measured process a millisecond.
SECONDS_MAX = 180.0
METRIC = re.compile(r"^ampgate_delivery_records_total\{(.*)\} (\S+)$", re.MULTILINE)

CONFIGURATION = """\
[kafka]
bootstrap_servers = "{bootstrap_servers}"
topic_prefix = "{prefix}."

[delivery]
admin_host = "127.0.0.1"
admin_port = {port}

[[destinations]]
name = "{group}"
api_key = "{key}"
base_url = "{sink}"
{settings}
"""


@dataclass(frozen=True, slots=True)
class Topic:
    prefix: str
    partitions: int
    events: int


@dataclass(frozen=True, slots=True)
class Kind:
    """A destination: how ours is set up, the reference's command for it, and the sink's answer."""

    settings: str
    command: str
    status: int


class Drain:
    """Runs a delivery until all events of a topic are delivered."""

    def __init__(self, directory: Path, bootstrap_servers: str) -> None:
        self._directory = directory
        self._bootstrap_servers = bootstrap_servers
        self._runs = count()

    def fill(self, topic: Topic) -> None:
        prefix = f"{topic.prefix}."
        kafka = Kafka(bootstrap_servers=self._bootstrap_servers, topic_prefix=prefix)
        asyncio.run(preload(kafka, partitions=topic.partitions, events=topic.events))

    def ours(self, kind: Kind, topic: Topic) -> Figures:
        [port] = free_ports(1)
        group = f"{kind.command}-{next(self._runs)}"
        path = self._directory / f"{group}.toml"
        with sink(kind.status) as (sink_pid, url):
            path.write_text(
                CONFIGURATION.format(
                    bootstrap_servers=self._bootstrap_servers,
                    prefix=topic.prefix,
                    port=port,
                    group=group,
                    key=KEY,
                    sink=url,
                    settings=kind.settings,
                )
            )
            with process("ampgate", "deliver", group, ready=metrics(port), config=path) as pid:
                return drained(pid, sink_pid, metrics(port), topic.events)

    def compiled(self, reference: Path, kind: Kind, topic: Topic) -> Figures:
        [port] = free_ports(1)
        group = f"{kind.command}-{next(self._runs)}"
        source = (self._bootstrap_servers, f"{topic.prefix}.events")
        with sink(kind.status) as (sink_pid, url):
            command = [str(reference), kind.command, *source, str(port), KEY, group, url]
            with running(command, ready=metrics(port)) as pid:
                return drained(pid, sink_pid, metrics(port), topic.events)


@contextmanager
def sink(status: int) -> Iterator[tuple[int, str]]:
    """Its pid and URL; it must have seen requests."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with process("benchmarks.sink", str(port), str(status), ready=url) as pid:
        yield pid, url
        assert int(get(url)) > 0, "the sink saw no request"


def metrics(port: int) -> str:
    return f"http://127.0.0.1:{port}/metrics"


def drained(pid: int, sink_pid: int, url: str, total: int) -> Figures:
    """From the first events seen delivered to the last: starting up is not an event's cost."""
    deadline = time.monotonic() + SECONDS_MAX
    while not (first := settled(get(url))):
        assert time.monotonic() < deadline, f"nothing delivered after {SECONDS_MAX:g} s"
        time.sleep(FIRST_POLL_SECONDS)
    cpu, sink_cpu, began = cpu_seconds(pid), cpu_seconds(sink_pid), time.monotonic()
    assert first < total, "all was delivered before the first look"
    while (delivered := settled(get(url))) < total:
        assert time.monotonic() < deadline, f"{delivered} of {total} after {SECONDS_MAX:g} s"
        time.sleep(POLL_SECONDS)
    seconds, events = time.monotonic() - began, delivered - first
    return Figures(
        microseconds_per_event=(cpu_seconds(pid) - cpu) / events * 1e6,
        events=events,
        seconds=seconds,
        rss_megabytes=rss_megabytes(pid),
        other_end_busy=(cpu_seconds(sink_pid) - sink_cpu) / seconds,
    )


def settled(text: str) -> int:
    """How many were delivered; none may end otherwise."""
    counts = {labels: int(float(value)) for labels, value in METRIC.findall(text)}
    other = {k: v for k, v in counts.items() if 'outcome="delivered"' not in k and v}
    assert not other, f"not delivered: {other}"
    return sum(counts.values())
