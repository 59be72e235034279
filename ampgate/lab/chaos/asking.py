"""What a process of ours, a simulator or Kafka answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from aiokafka.errors import KafkaError
from prometheus_client.parser import text_string_to_metric_families
from pyreqwest.client import ClientBuilder

from ampgate.errors import CommandError

ANSWER_SECONDS = 15.0  # For one try.
RETRY_SECONDS = 0.5
GIVE_UP_SECONDS = 240.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a scrape."""

    name: str
    labels: dict[str, str]
    value: float


async def ask(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    """The answer to a GET, or to a POST of `body`."""
    async with ClientBuilder().timeout(timedelta(seconds=30)).build() as client:
        request = client.get(url) if body is None else client.post(url).body_bytes(body)
        response = await request.build().send()
        return response.status, bytes(await response.bytes())


async def scrape(url: str) -> list[Sample]:
    _, body = await ask(f"{url}/metrics")
    return [
        Sample(sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    ]


async def until_done(attempt: Callable[[], Awaitable[Answer]]) -> Answer:
    """Try until Kafka does it: its brokers are broken meanwhile, and the ways to them."""
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while True:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await attempt()
        except (CommandError, KafkaError, OSError, TimeoutError) as error:
            if time.monotonic() > deadline:
                raise CommandError(f"Kafka did not do it in time: {error!r}") from error
        await asyncio.sleep(RETRY_SECONDS)
