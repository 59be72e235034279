"""A process that pulls says whether Kafka is there."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
from structlog.testing import capture_logs

from ampgate.lab.kafka.kafka import EmbeddedKafka
from gateway.pulls.membership import HEARD_SECONDS, RECONNECT_SECONDS, Membership
from gateway.pulls.server import admin_app, opened_pulls
from schemas.configuration.config import Config
from tests.conftest import Broker
from tests.eventually import seen
from tests.kafka.acls import READ, denied
from tests.operating import operation


class Ahead:
    seconds = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.seconds


@asynccontextmanager
async def pulling(config: Config, clock: Ahead) -> AsyncIterator[httpx.AsyncClient]:
    """In this process; what is yielded asks its admin port."""
    async with opened_pulls(config, (), lambda: config) as pulls:
        await pulls.reached()
        membership = Membership(config.kafka, pulls.start, pulls.stop, clock)
        running = asyncio.create_task(membership.run())
        transport = httpx.ASGITransport(admin_app(pulls, membership))
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://admin") as admin:
                yield admin
        finally:
            running.cancel()
            await asyncio.wait([running])


async def readiness(admin: httpx.AsyncClient) -> str:
    answer = await admin.get("/readyz")
    return f"{answer.status_code} {answer.json()['status']}"


async def test_while_kafka_is_away_a_process_that_pulls_is_not_ready(tmp_path: Path) -> None:
    """Though none of its parts fails: they try again for ever."""
    with EmbeddedKafka(tmp_path / "kafka", heap_megabytes=256) as kafka:
        config = (await operation(Broker(kafka.bootstrap_servers), "away.")).config
        clock = Ahead()
        async with pulling(config, clock) as admin:
            await seen(partial(readiness, admin), "200 ready".__eq__)
            await asyncio.to_thread(kafka.kill, 1)
            clock.seconds = HEARD_SECONDS + 1
            await seen(partial(readiness, admin), "503 waiting for Kafka".__eq__)
            await asyncio.to_thread(kafka.restart, 1)
            await seen(partial(readiness, admin), "200 ready".__eq__)


async def test_who_may_not_read_cursors_for_a_while_says_so_once_and_keeps_its_pulls(
    guarded_kafka: Broker,
) -> None:
    config = (await operation(guarded_kafka, "refused.")).config
    cursors = config.kafka.topics.cursors
    with capture_logs() as logged:
        async with pulling(config, Ahead()) as admin:
            await seen(partial(readiness, admin), "200 ready".__eq__)
            async with denied(guarded_kafka, cursors, READ):
                await seen(partial(readiness, admin), "503 waiting for Kafka".__eq__)
                await asyncio.sleep(5 * RECONNECT_SECONDS)  # It tries again meanwhile.
                assert await readiness(admin) == "503 waiting for Kafka"
            await seen(partial(readiness, admin), "200 ready".__eq__)
    said = Counter(one["event"] for one in logged)
    assert said["Kafka cannot be used, trying again"] == said["Kafka can be used again"] == 1
    assert said["pulls assigned"] == 1
