"""Kafka is away while delivery runs: nothing is stuck or restarted, and it goes on afterwards."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from ampgate.kafka import EmbeddedKafka
from consumers.deliveries import Deliveries
from consumers.kafka_letters import Letters
from consumers.server import admin_app
from tests.conftest import Broker
from tests.eventually import seen
from tests.kafka.delivery_world import World, event, opened_world
from tests.kafka.test_isolation import delivering, restarts
from tests.operating import AAMPE, AMPLITUDE

EVENTS = 200
AWAY_SECONDS = 40.0  # Longer than aiokafka's own timeouts.
STUCK_SECONDS = 10.0


async def asked(deliveries: Deliveries, path: str) -> tuple[int, Mapping[str, Any]]:
    transport = httpx.ASGITransport(admin_app(deliveries))
    async with httpx.AsyncClient(transport=transport, base_url="http://delivery") as client:
        answer = await client.get(path)
    found: Mapping[str, Any] = answer.json()
    return answer.status_code, found


def is_waiting(answer: tuple[int, Mapping[str, Any]]) -> bool:
    return answer[0] == 503 and answer[1]["status"] == "waiting for Kafka"


def is_ready(answer: tuple[int, Mapping[str, Any]]) -> bool:
    return answer[0] == 200


@pytest.mark.timeout(300)
async def test_while_kafka_is_away_nothing_is_stuck_and_it_is_not_ready(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path / "kafka") as kafka:
        broker = Broker(kafka.bootstrap_servers)
        async with opened_world(broker, "away.") as world:
            delivery = world.config.delivery.model_copy(
                update={"stuck_after_seconds": STUCK_SECONDS}
            )
            config = world.config.model_copy(update={"delivery": delivery})
            before = restarts(AMPLITUDE), restarts(AAMPE)
            await produce(world, 0)
            async with delivering(config, Letters(config.kafka)) as deliveries:
                await arrived(world, EVENTS)
                await seen(partial(asked, deliveries, "/readyz"), is_ready)

                await asyncio.to_thread(kafka.kill, 1)
                await seen(partial(asked, deliveries, "/readyz"), is_waiting)
                async with asyncio.timeout(AWAY_SECONDS + 30.0):
                    for _ in range(int(AWAY_SECONDS / 2)):
                        assert (await asked(deliveries, "/healthz"))[0] == 200
                        await asyncio.sleep(2.0)  # So long it is away: there is no event for that.

                await asyncio.to_thread(kafka.restart, 1)
                await seen(partial(asked, deliveries, "/readyz"), is_ready)
                await produce(world, EVENTS)
                await arrived(world, 2 * EVENTS)
                assert (await asked(deliveries, "/healthz"))[0] == 200
            assert (restarts(AMPLITUDE), restarts(AAMPE)) == before


async def produce(world: World, first: int) -> None:
    records = [event(n % 7, n) for n in range(first, first + EVENTS)]
    await world.produce(world.config.kafka.topics.events, records)


async def arrived(world: World, count: int) -> None:
    await world.until_accepted("amplitude", count)
    await world.until_accepted("aampe", count)
