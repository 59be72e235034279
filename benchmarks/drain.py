"""One run of a delivery: a new consumer group, from a topic's beginning, to a sink of its own."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Literal

from ampgate.lab.kafka.ports import free_ports
from benchmarks.events import KEY, STEP, USERS
from benchmarks.preload import preload
from benchmarks.processes import Tree, cpu_seconds, get, process, rss_megabytes, running
from benchmarks.row import Figures
from schemas.configuration.config import Kafka

FIRST_POLL_SECONDS = 0.02
POLL_SECONDS = 0.25
ASKED_SECONDS = 2.0  # To tell its metrics costs the measured process some milliseconds.
SECONDS_MAX = 180.0
METRIC = re.compile(r"^ampgate_delivery_records_total\{(.*)\} (\S+)$", re.MULTILINE)

CONFIGURATION = """\
[kafka]
bootstrap_servers = "{bootstrap_servers}"
topic_prefix = "{prefix}."

[delivery]
admin_host = "127.0.0.1"
admin_port = {port}

[[sources]]
name = "bench"
write_key = "{key}"

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
    users: int = USERS
    compression: Literal["lz4", "none"] = "lz4"


@dataclass(frozen=True, slots=True)
class Kind:
    """A destination: how ours is set up, the reference's command for it, and the sink's answer.

    Of so many percent of the users, the sink takes nothing.
    """

    settings: str
    command: str
    status: int
    throttled_percent: int = 0


class Drain:
    """Runs a delivery until all events of a topic are delivered."""

    def __init__(self, directory: Path, bootstrap_servers: str) -> None:
        self._directory = directory
        self._bootstrap_servers = bootstrap_servers
        self._runs = count()
        self._filled: set[Topic] = set()

    def fill(self, topic: Topic) -> None:
        if topic in self._filled:
            return
        self._filled.add(topic)
        kafka = Kafka(
            bootstrap_servers=self._bootstrap_servers,
            topic_prefix=f"{topic.prefix}.",
            compression=topic.compression,
        )
        filling = preload(
            kafka, partitions=topic.partitions, events=topic.events, users=topic.users
        )
        asyncio.run(filling)

    def ours(self, tree: Tree, kind: Kind, topic: Topic) -> Figures:
        [port] = free_ports(1)
        group = f"{kind.command}-{next(self._runs)}"
        if kind.throttled_percent:  # Else it would read what other runs have parked.
            topic = replace(topic, prefix=f"{topic.prefix}-{group}")
        self.fill(topic)
        path = self._directory / f"{group}.toml"
        with sink(kind) as (sink_pid, url):
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
            ready = metrics(port)
            with process("ampgate", "deliver", group, ready=ready, config=path, tree=tree) as pid:
                return drained(pid, sink_pid, url, ready, deliverable(kind, topic))

    def compiled(self, reference: Path, kind: Kind, topic: Topic) -> Figures:
        self.fill(topic)
        [port] = free_ports(1)
        group = f"{kind.command}-{next(self._runs)}"
        source = (self._bootstrap_servers, f"{topic.prefix}.events")
        with sink(kind) as (sink_pid, url):
            command = [str(reference), kind.command, *source, str(port), KEY, group, url]
            with running(command, ready=metrics(port)) as pid:
                return drained(pid, sink_pid, url, metrics(port), topic.events)


@contextmanager
def sink(kind: Kind) -> Iterator[tuple[int, str]]:
    """Its pid and URL; it must have seen requests."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    words = ("benchmarks.sink", str(port), str(kind.status))
    with process(*words, ready=url, throttled_percent=kind.throttled_percent) as pid:
        yield pid, url
        assert requests(url) > 0, "the sink saw no request"


def deliverable(kind: Kind, topic: Topic) -> int:
    """How many events are of users that are not throttled."""
    if not kind.throttled_percent:
        return topic.events
    users = (number * STEP % topic.users for number in range(topic.events))
    return sum(user % 100 >= kind.throttled_percent for user in users)


def metrics(port: int) -> str:
    return f"http://127.0.0.1:{port}/metrics"


def drained(pid: int, sink_pid: int, sink_url: str, url: str, total: int) -> Figures:
    """Its CPU from when it was ready, and had read nothing yet, to the last event.

    To begin with the first delivered event would leave out what was read ahead of it: of 100,000
    events most, of a million some, and of the reference, which reads far ahead, about a sixth.
    """
    deadline, cpu = time.monotonic() + SECONDS_MAX, cpu_seconds(pid)
    while not requests(sink_url):  # To tell its metrics would cost the measured process.
        assert time.monotonic() < deadline, f"nothing delivered after {SECONDS_MAX:g} s"
        time.sleep(FIRST_POLL_SECONDS)
    sink_cpu, began = cpu_seconds(sink_pid), time.monotonic()
    delivered = until_settled(sink_url, url, total, deadline)
    seconds = time.monotonic() - began
    return Figures(
        microseconds_per_event=(cpu_seconds(pid) - cpu) / delivered * 1e6,
        events=delivered,
        seconds=seconds,
        rss_megabytes=rss_megabytes(pid),
        other_end_busy=(cpu_seconds(sink_pid) - sink_cpu) / seconds,
    )


def until_settled(sink_url: str, url: str, total: int, deadline: float) -> int:
    """How many were delivered, at least `total`; asked when the sink gets no more requests."""
    seen, asked_at, delivered = -1, time.monotonic(), 0
    while delivered < total:
        assert time.monotonic() < deadline, f"{delivered} of {total} after {SECONDS_MAX:g} s"
        time.sleep(POLL_SECONDS)
        before, seen = seen, requests(sink_url)
        if seen == before or time.monotonic() > asked_at + ASKED_SECONDS:
            delivered, asked_at = settled(get(url)), time.monotonic()
    return delivered


def requests(sink_url: str) -> int:
    """How many the sink has seen."""
    return int(get(sink_url))


def settled(text: str) -> int:
    """How many were delivered; none may end otherwise, and some may be parked."""
    counts = {labels: int(float(value)) for labels, value in METRIC.findall(text)}
    delivered = {k: v for k, v in counts.items() if 'outcome="delivered"' in k}
    other = {k: v for k, v in counts.items() if k not in delivered and v and "parked" not in k}
    assert not other, f"not delivered: {other}"
    return sum(delivered.values())
