"""A process that pulls says whether Kafka is there."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from ampgate.lab.kafka.kafka import EmbeddedKafka
from gateway.pulls.membership import HEARD_SECONDS, Membership
from gateway.pulls.server import admin_app, opened_pulls
from schemas.configuration.config import Config
from tests.conftest import Broker
from tests.eventually import seen
from tests.operating import operation


class Ahead:
    seconds = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.seconds


@asynccontextmanager
async def pulling(config: Config, clock: Ahead) -> AsyncIterator[httpx.AsyncClient]:
    """In this process; what is yielded asks its admin port."""
    async with opened_pulls(config, (), lambda: config) as pulls:
        membership = Membership(config.kafka, pulls.start, pulls.stop, clock)
        running = asyncio.create_task(membership.run())
        transport = httpx.ASGITransport(admin_app(pulls, membership))
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://admin") as admin:
                yield admin
        finally:
            running.cancel()
            await asyncio.wait([running])


async def test_while_kafka_is_away_a_process_that_pulls_is_not_ready(tmp_path: Path) -> None:
    """Though none of its parts fails: they try again for ever."""
    with EmbeddedKafka(tmp_path / "kafka", heap_megabytes=256) as kafka:
        config = (await operation(Broker(kafka.bootstrap_servers), "away.")).config
        clock = Ahead()
        async with pulling(config, clock) as admin:

            async def readiness() -> str:
                answer = await admin.get("/readyz")
                return f"{answer.status_code} {answer.json()['status']}"

            await seen(readiness, "200 ready".__eq__)
            await asyncio.to_thread(kafka.kill, 1)
            clock.seconds = HEARD_SECONDS + 1
            await seen(readiness, "503 waiting for Kafka".__eq__)
            await asyncio.to_thread(kafka.restart, 1)
            await seen(readiness, "200 ready".__eq__)
