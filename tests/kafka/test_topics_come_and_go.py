"""A topic is deleted, or created only now, while the delivery runs: it says so, and goes on."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest
from aiokafka.admin import NewTopic
from structlog.testing import capture_logs

from ampgate.topics import admin_client
from consumers.deliveries import Deliveries
from consumers.kafka import membership
from consumers.kafka.letters import Letters
from consumers.server import admin_app
from tests.eventually import eventually, seen
from tests.kafka.delivery_world import Clock, World, event
from tests.kafka.kafka_operations import committed, with_amplitude

PARTITIONS = 3


@pytest.fixture(autouse=True)
def _notices_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "METADATA_SECONDS", 0.5)
    monkeypatch.setattr(membership, "LOOK_SECONDS", 0.1)


async def delete(world: World, topic: str) -> None:
    async with admin_client(world.config.kafka) as client:
        await client.delete_topics([topic])
        await seen(client.list_topics, lambda topics: topic not in topics)


async def create(world: World, topic: str) -> None:
    async with admin_client(world.config.kafka) as client:
        await client.create_topics([NewTopic(topic, PARTITIONS, 1)])


@asynccontextmanager
async def administered(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """The deliveries of a process, and a client of its admin port."""
    letters = Letters(world.config.kafka)
    deliveries = Deliveries(letters, ())
    transport = httpx.ASGITransport(app=admin_app(deliveries))
    await letters.start()
    try:
        async with asyncio.TaskGroup() as tasks:
            await deliveries.apply(world.config, tasks)
            async with httpx.AsyncClient(transport=transport, base_url="http://admin") as admin:
                yield admin
            await deliveries.stop(world.config)
    finally:
        await letters.stop()


async def until_ready(admin: httpx.AsyncClient, status: str) -> Mapping[str, Any]:
    async def look() -> httpx.Response:
        return await admin.get("/readyz")

    answer = await seen(look, lambda found: found.json()["status"] == status)
    assert answer.status_code == (200 if status == "ready" else 503)
    body: Mapping[str, Any] = answer.json()
    return body


async def test_a_deleted_topic_is_said_and_read_from_its_beginning_once_it_is_back(
    world: World,
) -> None:
    """Also by a destination that once began at the end."""
    topic = world.config.kafka.topics.events
    begun = with_amplitude(world, start="latest")
    with capture_logs() as logged:
        async with administered(begun) as admin:
            await until_ready(admin, "ready")
            await seen(partial(committed, begun), lambda offsets: len(offsets) == PARTITIONS)
            await delete(world, topic)
            assert (await until_ready(admin, "topic does not exist"))["missing"] == [topic]
            await create(world, topic)
            await world.produce(topic, [event(n, n) for n in range(10)])
            await world.until_accepted("amplitude", 10)
            assert (await until_ready(admin, "ready"))["missing"] == []
    said = [one["event"] for one in logged if one.get("topic") == topic]
    assert said.count("topic does not exist or may not be seen, waiting for it") == 1
    assert said.count("topic exists, reading it") == 1


async def test_who_started_before_its_topic_was_created_reads_it_then(world: World) -> None:
    topic = world.config.kafka.topics.events
    await delete(world, topic)
    async with administered(with_amplitude(world)) as admin:
        assert (await until_ready(admin, "topic does not exist"))["missing"] == [topic]
        await create(world, topic)
        await world.produce(topic, [event(n, n) for n in range(10)])
        await world.until_accepted("amplitude", 10)
        await until_ready(admin, "ready")


async def test_who_started_without_a_parked_topic_parks_once_there_is_one(world: World) -> None:
    topics, clock = world.config.kafka.topics, Clock()
    await delete(world, topics.parked)
    quota = {"kind": "daily_quota", "ids": ["user-0"], "seconds": 1.0}
    await world.set_faults("amplitude", {"effect": quota})
    async with with_amplitude(world).delivering(clock) as workers:
        await world.produce(topics.events, [event(n % 2, n) for n in range(10)])
        await world.until_accepted("amplitude", 5)
        await create(world, topics.parked)
        await world.letters(topics.parked, 5)
        await eventually(lambda: all(worker.is_reached for worker in workers))
    found = [one["event_properties"]["n"] for one in await world.received("amplitude")]
    assert sorted(found) == [1, 3, 5, 7, 9]
