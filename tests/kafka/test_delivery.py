"""Delivery from a real Kafka to both strict simulators."""

import asyncio
import json
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from ampgate import topics
from ampgate.simulators.app import simulator_app, simulator_server
from consumers.destinations import destinations_of
from consumers.http import Http
from consumers.kafka import Letters
from consumers.worker import Worker
from schemas.config import Config
from tests.conftest import Broker

DEADLINE_SECONDS = 150.0  # A throttled user waits 30 s, and may have to wait again.


@dataclass(frozen=True, slots=True)
class World:
    config: Config
    urls: Mapping[str, str]

    async def stats(self, kind: str) -> dict[str, Any]:
        async with httpx.AsyncClient() as client:
            stats: dict[str, Any] = (await client.get(f"{self.urls[kind]}/_stats")).json()
        return stats

    async def received(self, kind: str) -> list[dict[str, Any]]:
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{self.urls[kind]}/_received")
        return [json.loads(line) for line in answer.text.splitlines()]

    async def set_faults(self, kind: str, *rules: Mapping[str, object]) -> None:
        async with httpx.AsyncClient() as client:
            answer = await client.post(
                f"{self.urls[kind]}/_faults", json={"seed": 1, "rules": rules}
            )
        answer.raise_for_status()

    async def until_accepted(self, kind: str, count: int) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (await self.stats(kind))["accepted"] < count:
                pass  # Asking is waiting: each look is a request of its own.

    async def produce(
        self, topic: str, records: Sequence[tuple[bytes | None, bytes | None]]
    ) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.config.kafka.bootstrap_servers)
        async with producer:
            sent = [await producer.send(topic, key=key, value=value) for key, value in records]
            await asyncio.gather(*sent)

    async def dead_letters(self, count: int) -> list[Mapping[str, str]]:
        consumer = AIOKafkaConsumer(
            self.config.kafka.topics.dead_letters,
            bootstrap_servers=self.config.kafka.bootstrap_servers,
            auto_offset_reset="earliest",
        )
        async with consumer, asyncio.timeout(DEADLINE_SECONDS):
            letters = [await consumer.getone() for _ in range(count)]
        return [
            {name: value.decode() for name, value in letter.headers}
            | {"value": (letter.value or b"").decode(errors="replace")}
            for letter in letters
        ]

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """Workers for every destination, until the end of the block; then they drain."""
        async with AsyncExitStack() as stack:
            letters = Letters(self.config.kafka)
            await letters.start()
            stack.push_async_callback(letters.stop)
            workers: list[Worker] = []
            for destination in self.config.destinations:
                http = await stack.enter_async_context(Http(destination.url, timeout_seconds=10))
                parts = destinations_of(destination)
                workers += [Worker(part, self.config, http, letters) for part in parts]
            running = [asyncio.create_task(worker.run()) for worker in workers]
            try:
                yield
            finally:
                for worker in workers:
                    worker.stop()
                await asyncio.gather(*running)


@asynccontextmanager
async def simulating(kind: str) -> AsyncIterator[str]:
    """A simulator on a free port: its URL."""
    app = simulator_app(kind)
    server = simulator_server(app, host="127.0.0.1", port=0)
    listening = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        app.close()


@pytest.fixture
async def world(kafka: Broker, topic_prefix: str) -> AsyncIterator[World]:
    async with simulating("amplitude") as amplitude, simulating("aampe") as aampe:
        destinations = [
            {
                "name": "amplitude-us",
                "type": "amplitude",
                "api_key": "k",
                "base_url": amplitude,
            },
            {
                "name": "aampe-us",
                "type": "aampe",
                "region": "us-east1",
                "api_key": "k",
                "base_url": aampe,
            },
        ]
        reached = {"bootstrap_servers": kafka.bootstrap_servers, "topic_prefix": topic_prefix}
        config = Config.model_validate({"kafka": reached, "destinations": destinations})
        await topics.create(config.kafka, partitions=3)
        yield World(config, {"amplitude": amplitude, "aampe": aampe})


def event(user: int, number: int) -> tuple[bytes, bytes]:
    """A record as a service would produce it: no insert_id, no time."""
    value = {
        "event_type": "Bought",
        "user_id": f"user-{user}",
        "event_properties": {"n": number},
    }
    return f"user-{user}".encode(), json.dumps(value).encode()


def in_order(numbers: Mapping[str, Sequence[int]]) -> bool:
    return all(list(found) == sorted(found) for found in numbers.values())


async def test_what_a_service_produces_arrives_once_and_in_order(world: World) -> None:
    await world.produce(world.config.kafka.topics.events, [event(n % 17, n) for n in range(3000)])
    async with world.delivering():
        await world.until_accepted("amplitude", 3000)
        await world.until_accepted("aampe", 3000)

    for kind, properties, owner in (
        ("amplitude", "event_properties", "user_id"),
        ("aampe", "metadata", "contact_id"),
    ):
        numbers: defaultdict[str, list[int]] = defaultdict(list)
        for record in await world.received(kind):
            numbers[record[owner]].append(record[properties]["n"])
        stats = await world.stats(kind)
        assert in_order(numbers)
        assert sum(map(len, numbers.values())) == 3000
        assert (stats["distinct_insert_ids"], stats["violations"]) == (3000, [])


async def test_garbage_becomes_dead_letters_and_nothing_else_stops(world: World) -> None:
    topic = world.config.kafka.topics.events
    garbage: list[tuple[bytes | None, bytes | None]] = [
        (b"a", b"not json"),
        (b"a", None),
        (b"another", event(1, 1)[1]),
        (b"a", b'{"event_type":"x"}'),
        (b"a", b"[" * 100_000),
    ]
    await world.produce(topic, [event(1, 0), *garbage, event(1, 2)])
    async with world.delivering():
        await world.until_accepted("amplitude", 2)
        await world.until_accepted("aampe", 2)
        letters = await world.dead_letters(2 * len(garbage))

    reasons = sorted(
        letter["reason"] for letter in letters if letter["destination"] == "amplitude-us"
    )
    assert reasons == ["missing_id", "not_an_object", "not_json", "tombstone", "wrong_key"]
    assert {letter["origin"].rsplit("/", 2)[0] for letter in letters} == {topic}
    assert "not json" in {letter["value"] for letter in letters}


async def test_resets_errors_and_throttled_users_lose_and_reorder_nothing(world: World) -> None:
    await world.set_faults(
        "amplitude",
        {"probability": 0.2, "effect": {"kind": "reset", "when": "after"}},
        {"probability": 0.2, "effect": {"kind": "answer", "status": 503, "body": ""}},
        {"match": {"id": "user-3"}, "times": 2, "effect": {"kind": "throttle", "seconds": 2}},
        {"for_seconds": 2, "effect": {"kind": "answer", "status": 401, "body": ""}},
    )
    await world.produce(world.config.kafka.topics.events, [event(n % 17, n) for n in range(4000)])
    async with world.delivering():
        await world.until_accepted("amplitude", 4000)

    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for record in await world.received("amplitude"):
        numbers[record["user_id"]].append(record["event_properties"]["n"])
    assert in_order(numbers)
    assert (await world.stats("amplitude"))["distinct_insert_ids"] == 4000


async def test_a_second_delivery_goes_on_where_the_first_one_stopped(world: World) -> None:
    topic = world.config.kafka.topics.events
    await world.produce(topic, [event(n % 5, n) for n in range(500)])
    async with world.delivering():
        await world.until_accepted("amplitude", 500)
        await world.until_accepted("aampe", 500)
    await world.produce(topic, [event(n % 5, n) for n in range(500, 600)])
    async with world.delivering():
        await world.until_accepted("amplitude", 600)
        await world.until_accepted("aampe", 600)

    assert (await world.stats("amplitude"))["duplicates"] == 0
    assert (await world.stats("aampe"))["accepted"] == 600
