"""Edges and deliveries are replaced one by one under load: retries succeed, nothing is lost."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from ampgate import topics
from ampgate.archive.archive import archive
from ampgate.lab.chaos.clients import event
from ampgate.lab.chaos.fleet import KEY, Fleet
from ampgate.lab.chaos.verdict import judge
from ampgate.lab.chaos.witness import Witness
from ampgate.lab.kafka.ports import free_ports
from schemas.configuration.config import Kafka
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS, seen

REPLACED = 3


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    [port] = free_ports(1)
    fleet = Fleet(tmp_path, port)
    try:
        yield fleet
    finally:
        await asyncio.to_thread(fleet.end)


@pytest.fixture
async def served(fleet: Fleet, kafka: Broker, topic_prefix: str) -> Kafka:
    """Two edges and two deliveries run."""
    await asyncio.gather(fleet.start_simulator("amplitude"), fleet.start_simulator("aampe"))
    config = fleet.configure(kafka.bootstrap_servers, topic_prefix)
    await topics.create(config.kafka, partitions=4)
    starting = [fleet.start_edge(), fleet.start_edge()]
    await asyncio.gather(*starting, fleet.start_delivery(), fleet.start_delivery())
    return config.kafka


@dataclass(slots=True)
class Caller:
    """One user's app: an event after the other, each sent again until it is acknowledged."""

    user: str
    url: str
    keeps_connection: bool
    acknowledged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)  # Answers that are no success.
    failures: list[list[str]] = field(default_factory=list)  # Of each event that needed retries.
    longest_gap: float = 0.0

    async def call_until(self, over: asyncio.Event) -> None:
        answered_at = time.monotonic()
        connections = httpx.Limits(max_keepalive_connections=1 if self.keeps_connection else 0)
        async with httpx.AsyncClient(
            limits=connections, timeout=DEADLINE_SECONDS, trust_env=False
        ) as client:
            for number in itertools.count():
                if over.is_set():
                    return
                await self._acknowledge(client, f"{self.user}-{number}")
                now = time.monotonic()
                self.longest_gap = max(self.longest_gap, now - answered_at)
                answered_at = now

    async def _acknowledge(self, client: httpx.AsyncClient, insert_id: str) -> None:
        failures: list[str] = []
        while True:
            try:
                answer = await client.post(
                    f"{self.url}/v1/events",
                    content=event(insert_id),
                    headers={"authorization": f"Bearer {KEY}"},
                )
            except httpx.TransportError as error:
                failures.append(repr(error))
                continue
            if answer.status_code == 202:
                break
            self.refused.append(f"{answer.status_code} {answer.text}")
        self.acknowledged.append(insert_id)
        if failures:
            self.failures.append(failures)


async def test_a_rolling_restart_loses_nothing_and_no_retry_is_refused(
    fleet: Fleet, served: Kafka, capsys: pytest.CaptureFixture[str]
) -> None:
    callers = [
        Caller(f"user{number}", fleet.edge_url, keeps_connection=number % 2 == 0)
        for number in range(6)
    ]
    over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        calling = [tasks.create_task(caller.call_until(over)) for caller in callers]
        for _ in range(REPLACED):
            oldest_edge, oldest_delivery = fleet.edges[0], fleet.deliveries[0]
            await fleet.start_edge()
            await fleet.stop(oldest_edge)
            await fleet.start_delivery()
            await fleet.stop(oldest_delivery)
            assert not any(task.done() for task in calling)
        over.set()
    tell(callers, capsys)
    assert [caller.refused for caller in callers] == [[] for _ in callers]
    # A kept connection may end as it is used: then the first retry has to succeed.
    assert {len(tries) for caller in callers for tries in caller.failures} <= {1}
    assert not any(caller.failures for caller in callers if not caller.keeps_connection)

    acknowledged = [one for caller in callers for one in caller.acknowledged]
    async with archive(served) as stored:
        witness = Witness(served, stored, fleet, deleted=[], growths=[])
        await until_settled(witness, len(acknowledged))
        await fleet.stop_gateway()
        evidence = await witness.evidence(acknowledged, [], None)
    wrong = [f"{one.subject}: {one.says}" for one in judge(evidence) if not one.ok]
    assert [one for one in wrong if not one.startswith("counters")] == []


async def until_settled(witness: Witness, events: int) -> None:
    await seen(witness.arrived, lambda arrived: arrived >= events)
    await seen(witness.unsettled, lambda unsettled: not any(unsettled.values()))


def tell(callers: list[Caller], capsys: pytest.CaptureFixture[str]) -> None:
    """The times depend on the machine: they are told, not judged."""
    longest = max(caller.longest_gap for caller in callers)
    calls = sum(len(caller.acknowledged) for caller in callers)
    retried = sum(len(caller.failures) for caller in callers)
    with capsys.disabled():
        print(
            f"\n{REPLACED} edges and {REPLACED} deliveries replaced during {calls} requests:"
            f" the longest time without a success was {longest:.3f} s, {retried} were retried"
        )
