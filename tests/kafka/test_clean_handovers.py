"""Deliveries join, leave, restart and reload under load: every event arrives once and in order.

Some users are held, some records are parked, some are refused. `AMPGATE_HANDOVERS=50` makes as many
rounds, and each says what came twice; by default there is one.
"""

import asyncio
import itertools
import json
import os
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from ampgate import topics
from schemas.configuration.config import Config
from schemas.letters import LetterHeaders, Origin
from schemas.records import TopicPartition
from tests.conftest import Broker
from tests.eventually import seen
from tests.kafka.rolling_deployment import IDS, PARTITIONS, Deployment, simulated
from tests.loopback import loopback_client
from tests.operating import received, set_faults

ROUNDS = int(os.environ.get("AMPGATE_HANDOVERS", "1"))


@pytest.fixture
async def deployment(kafka: Broker, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Deployment]:
    async with simulated(tmp_path) as urls:
        config = Config.model_validate(
            {"kafka": {"bootstrap_servers": kafka.bootstrap_servers, "topic_prefix": topic_prefix}}
        )
        await topics.create(config.kafka, partitions=PARTITIONS)
        deployed = Deployment(config, tmp_path, urls)
        deployed.write(concurrency=256)
        try:
            yield deployed
        finally:
            for process in deployed.processes:
                process.kill()
                await process.wait()


USERS = 40
AHEAD_MAX = 3000  # Events that the slower destination is behind.
PER_DISTURBANCE = 400  # Events that arrive between two disturbances.
SLOW = {"effect": {"kind": "delay", "seconds": 0.02, "jitter_seconds": 0.3}}
REFUSED = {"match": {"event_type": "Refused"}, "effect": {"kind": "reject"}}
HELD = [
    {"match": {"id": f"user-{n}"}, "probability": 0.02, "effect": {"kind": "throttle"}}
    for n in range(3)
]
PAUSED = {"probability": 0.0005, "effect": {"kind": "throttle", "ids": ["user-4"], "seconds": 1}}


@dataclass
class Load:
    """Events, produced as fast as the destinations take them; what has to arrive of each."""

    deployment: Deployment
    expected: dict[str, int] = field(default_factory=lambda: dict.fromkeys(IDS, 0))
    numbers: Iterator[int] = field(default_factory=itertools.count)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def produce(self) -> None:
        kafka = self.deployment.config.kafka
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
            while not self.over.is_set():
                await seen(self.ahead, lambda ahead: ahead <= AHEAD_MAX or self.over.is_set())
                sent = [await self._send(producer, next(self.numbers)) for _ in range(300)]
                await asyncio.gather(*sent)

    async def _send(self, producer: AIOKafkaProducer, number: int) -> asyncio.Future[object]:
        topics_of = self.deployment.config.kafka.topics
        kind = "Refused" if number % 101 == 0 else "Bought"
        if number % 20:
            user = f"user-{number * 7 % USERS}"
            value = event(user, kind, number)
            self._expect(kind, IDS)
            sent: asyncio.Future[object] = await producer.send(
                topics_of.events, value, user.encode()
            )
            return sent
        # As if somebody had parked it: it is due soon.
        destination = list(IDS)[number // 20 % 2]
        user = f"parked-{number % 7}"
        partition = number % PARTITIONS
        now = time.time()
        headers = LetterHeaders(
            destination=f"{destination}-us",
            reason="throttled",
            detail="",
            origin=Origin(TopicPartition(topics_of.events, partition), 10**12 + number),
            attempts=1,
            first_failed_at=now,
            accepted_at=now,
            not_before=now + number % 5,
        ).encoded(())
        self._expect(kind, [destination])
        parked: asyncio.Future[object] = await producer.send(
            topics_of.parked, event(user, kind, number), user.encode(), partition, headers=headers
        )
        return parked

    def _expect(self, kind: str, destinations: Sequence[str] | dict[str, str]) -> None:
        for destination in destinations:
            self.expected[destination] += kind == "Bought"

    async def ahead(self) -> int:
        stats = await self.stats()
        return max(
            self.expected[kind] - int(str(stats[kind]["distinct_insert_ids"])) for kind in IDS
        )

    async def arrived(self) -> int:
        """How many different ones the slower destination has."""
        return min([int(str(one["distinct_insert_ids"])) for one in (await self.stats()).values()])

    async def repeated(self) -> dict[str, object]:
        return {kind: one["duplicates"] for kind, one in (await self.stats()).items()}

    async def stats(self) -> dict[str, dict[str, object]]:
        async with loopback_client() as client:
            return {
                kind: (await client.get(f"{url}/_stats")).json()
                for kind, url in self.deployment.urls.items()
            }

    async def goes_on(self) -> None:
        """Until so many more have arrived."""
        before = await self.arrived()
        await seen(self.arrived, lambda now: now >= before + PER_DISTURBANCE)


def event(user: str, kind: str, number: int) -> bytes:
    return json.dumps(
        {
            "event_type": kind,
            "user_id": user,
            "insert_id": f"n-{number}",
            "time": 1_763_000_000_000 + number,
            "event_properties": {"n": number},
        }
    ).encode()


async def disturb(deployment: Deployment, load: Load, chosen: random.Random) -> None:
    """One joins, the configuration is read again, one leaves, and the other is replaced."""
    joining = await deployment.start()
    if chosen.random() < 0.7:
        await load.goes_on()
    await deployment.reload(deployment.processes[0])
    if chosen.random() < 0.7:
        await load.goes_on()
    await deployment.stop(joining)
    await load.goes_on()
    former = deployment.processes[0]
    if chosen.random() < 0.5:
        await deployment.stop(former)
        await deployment.start()
    else:
        await deployment.start()
        await deployment.stop(former)
    await load.goes_on()


@pytest.mark.timeout(900 + 60 * ROUNDS)
async def test_joins_leaves_restarts_and_reloads_under_load_send_nothing_twice(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    await set_faults(deployment.urls["amplitude"], SLOW, REFUSED, *HELD)
    await set_faults(deployment.urls["aampe"], SLOW, REFUSED, PAUSED)
    load = Load(deployment)
    await deployment.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load.produce())
        for number in range(ROUNDS):
            await disturb(deployment, load, random.Random(number))
            with capsys.disabled():
                print(f"\nround {number}: {await load.arrived()}, twice {await load.repeated()}")
        load.over.set()
    for url in deployment.urls.values():
        await set_faults(url, REFUSED)
    await seen(load.ahead, lambda ahead: ahead == 0)
    for process in list(deployment.processes):
        await deployment.stop(process)

    assert await load.repeated() == dict.fromkeys(IDS, 0), deployment.warnings()[-20:]
    for kind, url in deployment.urls.items():
        assert out_of_order(await received(url), IDS[kind]) == []


def out_of_order(arrived: Sequence[dict[str, object]], name: str) -> list[str]:
    """Events that came after a later one of the same user."""
    last: dict[object, int] = defaultdict(lambda: -1)
    wrong = []
    for one in arrived:
        user, number = one.get("user_id") or one.get("contact_id"), int(str(one[name])[2:])
        if str(user).startswith("user-"):
            if number < last[user]:
                wrong.append(f"{user}: n-{number} came after n-{last[user]}")
            last[user] = max(last[user], number)
    return wrong
