"""A real Kafka, both strict simulators, and delivery between them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from consumers import plan_counts
from consumers.delivery.pace import Wait
from consumers.destinations import destinations_in
from consumers.http.client import sender_to
from consumers.kafka.letters import Letters
from consumers.transform_times import Timed
from consumers.worker import Worker
from schemas.configuration.config import Config
from schemas.suppressions import NOBODY
from schemas.vendors import vendor_of
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS, seen
from tests.loopback import loopback_client
from tests.operating import operation, received, set_faults, simulating


class Clock:
    """The time, and what a test adds to it; in the first minutes of an hour, when quotas end."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0
        self._moved_seconds = 3660.0 - time.time() % 3600.0

    def __call__(self) -> float:
        return time.time() + self._moved_seconds + self.ahead_seconds


@dataclass(frozen=True, slots=True)
class World:
    config: Config
    urls: Mapping[str, str]

    async def stats(self, kind: str) -> dict[str, Any]:
        async with loopback_client() as client:
            stats: dict[str, Any] = (await client.get(f"{self.urls[kind]}/_stats")).json()
        return stats

    async def received(self, kind: str) -> list[dict[str, Any]]:
        return await received(self.urls[kind])

    async def set_faults(self, kind: str, *rules: Mapping[str, object]) -> None:
        await set_faults(self.urls[kind], *rules)

    async def until_accepted(self, kind: str, count: int) -> None:
        await seen(partial(self.stats, kind), lambda stats: stats["accepted"] >= count)

    async def produce(
        self, topic: str, records: Sequence[tuple[bytes | None, bytes | None]]
    ) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.config.kafka.bootstrap_servers)
        async with producer:
            sent = [await producer.send(topic, key=key, value=value) for key, value in records]
            await asyncio.gather(*sent)

    async def dead_letters(self, count: int) -> list[Mapping[str, str]]:
        return await self.letters(self.config.kafka.topics.dead_letters, count)

    async def letters(self, topic: str, count: int) -> list[Mapping[str, str]]:
        """So many different ones of a topic, each with its headers and its `value`."""
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=self.config.kafka.bootstrap_servers,
            auto_offset_reset="earliest",
        )
        found: dict[str, Mapping[str, str]] = {}
        async with consumer, asyncio.timeout(DEADLINE_SECONDS):
            while len(found) < count:
                letter = await consumer.getone()
                headers = {name: (value or b"").decode() for name, value in letter.headers}
                value = (letter.value or b"").decode(errors="replace")
                found[f"{headers['destination']} {headers['origin']}"] = headers | {"value": value}
        return list(found.values())

    @asynccontextmanager
    async def delivering(
        self, clock: Callable[[], float] = time.time
    ) -> AsyncIterator[Sequence[Worker]]:
        """Workers for every destination, until the end of the block; then they drain."""
        async with AsyncExitStack() as stack:
            letters = Letters(self.config.kafka)
            await letters.start()
            stack.push_async_callback(letters.stop)
            workers: list[Worker] = []
            for destination in self.config.destinations:
                http = await stack.enter_async_context(sender_to(destination))
                wait = Wait() if vendor_of(destination).one_wait_a_key else None
                workers += [
                    Worker(part, self.config, http, letters, wait, clock, NOBODY)
                    for part in destinations_in(self.config, destination, Timed, plan_counts.count)
                ]
            running = [asyncio.create_task(worker.run()) for worker in workers]
            try:
                yield workers
            finally:
                for worker in workers:
                    worker.stop()
                await asyncio.gather(*running)


@asynccontextmanager
async def opened_world(kafka: Broker, topic_prefix: str) -> AsyncIterator[World]:
    async with simulating("amplitude") as amplitude, simulating("aampe") as aampe:
        operated = await operation(kafka, topic_prefix, amplitude, aampe)
        yield World(operated.config, {"amplitude": amplitude, "aampe": aampe})


def event(user: int, number: int) -> tuple[bytes, bytes]:
    """A record as a service would produce it: no insert_id, no time."""
    value = {
        "event_type": "Bought",
        "user_id": f"user-{user}",
        "event_properties": {"n": number},
    }
    return f"user-{user}".encode(), json.dumps(value).encode()
