"""An edge for SDKs to send to: what it stored, how it answered, and how to keep it from storing."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS, seen
from tests.kafka.edge_process import EdgeProcess, create_topics, running
from tests.kafka.test_edge import stored
from tests.loopback import hang_up

INFLIGHT_BYTES = 100_000
SOURCES = """
max_inflight_bytes = {inflight}
body_timeout_seconds = 3600

[[sources]]
name = "web"
write_key = "web-key"
allowed_origins = {origins}
max_batch_records = 50

[[sources]]
name = "slow"
write_key = "slow-key"
allowed_origins = {origins}
events_per_second = 2
"""
_REQUESTS = re.compile(r'^ampgate_edge_requests_total\{.*status="(\d+)"\} (\S+)$', re.MULTILINE)
_INFLIGHT = re.compile(r"^ampgate_edge_inflight_bytes (\S+)$", re.MULTILINE)
Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shop:
    edge: EdgeProcess
    kafka: Broker
    prefix: str

    @property
    def url(self) -> str:
        return self.edge.url

    async def events(self) -> list[Event]:
        return await self._values("events")

    async def receives(self, holds: Callable[[list[Event]], bool]) -> list[Event]:
        """The events, as soon as it holds of them: Kafka tells of each."""
        events: list[Event] = []
        consumer = AIOKafkaConsumer(
            f"{self.prefix}events",
            bootstrap_servers=self.kafka.bootstrap_servers,
            auto_offset_reset="earliest",
        )
        async with consumer, asyncio.timeout(DEADLINE_SECONDS):
            while not holds(events):
                events.append(json.loads((await consumer.getone()).value))
        return events

    async def dead_letters(self) -> list[Event]:
        return await self._values("dead-letters")

    async def _values(self, topic: str) -> list[Event]:
        async with asyncio.timeout(DEADLINE_SECONDS):
            records = await stored(self.kafka, self.prefix + topic)
        return [json.loads(record.value) for record in records]

    async def answers(self) -> dict[int, int]:
        """How many requests were answered with which status."""
        counts: dict[int, int] = {}
        for status, count in _REQUESTS.findall(await self.edge.metrics()):
            counts[int(status)] = counts.get(int(status), 0) + round(float(count))
        return counts

    async def answered(self, counts: Mapping[int, int]) -> None:
        """Return once it has answered just these: Kafka tells of a record before it is counted."""
        await seen(self.answers, lambda found: found == counts)

    async def spend_the_rate(self) -> None:
        """The next request of the slow source is one too many, for some seconds."""
        updates = [{"user_id": "user-0", "user_properties": {"n": n}} for n in range(16)]
        key = {"authorization": "Bearer slow-key"}
        async with self.edge.client() as client:
            answer = await client.post("/v1/user-properties", json=updates, headers=key)
        assert answer.status_code == 202, answer.text

    async def has_answered(self, status: int, times: int = 1) -> None:
        await seen(self.answers, lambda counts: counts.get(status, 0) >= times)

    @asynccontextmanager
    async def full(self) -> AsyncIterator[None]:
        """A request that does not end takes all room: every other one is answered with 503."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.edge.port)
        body = b'{"events":[]}'
        head = b"POST /v1/events HTTP/1.1\r\nhost: e\r\nauthorization: Bearer secret\r\n"
        writer.write(head + b"content-length: %d\r\n\r\n" % INFLIGHT_BYTES)
        writer.write(body + b" " * (INFLIGHT_BYTES - len(body) - 1))
        try:
            await self._has_in_flight(INFLIGHT_BYTES - 1)
            yield
            writer.write(b" ")
            assert (await reader.readline()).startswith(b"HTTP/1.1 422")
        finally:
            await hang_up(writer)

    async def _has_in_flight(self, size: int) -> None:
        def holds(metrics: str) -> bool:
            found = _INFLIGHT.search(metrics)
            return found is not None and float(found[1]) >= size

        await seen(self.edge.metrics, holds)


@asynccontextmanager
async def open_shop(
    kafka: Broker, prefix: str, port: int, directory: Path, origins: Iterable[str] = ()
) -> AsyncIterator[Shop]:
    await create_topics(kafka.bootstrap_servers, prefix)
    more = SOURCES.format(inflight=INFLIGHT_BYTES, origins=json.dumps(list(origins)))
    async with running(directory, kafka.bootstrap_servers, prefix, port, more=more) as edge:
        yield Shop(edge, kafka, prefix)
