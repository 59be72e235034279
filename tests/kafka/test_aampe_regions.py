"""Three Aampe regions: what befalls one costs only its own lag.

The whole demonstration, 100,000 events over a minute in which one region is dead and another
throttles, takes two minutes:

    AMPGATE_OUTAGE_SECONDS=60 AMPGATE_OUTAGE_EVENTS=100000 python -m pytest -s \
        tests/kafka/test_aampe_regions.py -k one_dead
"""

import asyncio
import gzip
import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from prometheus_client import REGISTRY

from ampgate import leash, topics
from ampgate.kafka_ports import free_ports
from consumers.deliveries import workers_of
from consumers.http import sender_to
from consumers.kafka_letters import Letters
from consumers.worker import Worker
from schemas.config import Config
from tests.conftest import Broker

REAL_EVENTS = Path(__file__).parents[2].parent / "shared" / "data" / "real_events.ndjson.gz"
EVENTS = int(os.environ.get("AMPGATE_OUTAGE_EVENTS", "6000"))
OUTAGE_SECONDS = float(os.environ.get("AMPGATE_OUTAGE_SECONDS", "0"))
DEADLINE_SECONDS = 150.0 + OUTAGE_SECONDS
RETRY_AFTER_SECONDS = 5 if OUTAGE_SECONDS else 2
COUNTRIES = {
    "us-east1": ("United Kingdom", "USA", "Canada", "Brazil"),
    "europe-west3": ("Germany", "France", "EIRE", "Spain", "Netherlands", "Belgium", "Portugal"),
    "asia-southeast1": ("Australia", "Japan", "Singapore", "Cyprus", "Switzerland", "Norway"),
}

Fields = Mapping[str, Any]


def real_events(count: int) -> Iterator[bytes]:
    """From the shop's log; where that is not at hand, events of its shape."""
    if REAL_EVENTS.exists():
        with gzip.open(REAL_EVENTS, "rb") as lines:
            yield from (line.strip() for line in islice(lines, count))
        return
    countries = [country for found in COUNTRIES.values() for country in found] + ["Iceland"]
    for row in range(count):
        user = row * 7919 % 997
        event = {
            "event_type": "Item Purchased",
            "user_id" if user % 4 else "device_id": f"{user:05d}",
            "time": 1291191960000 + row,
            "insert_id": f"row-{row}",
            "event_properties": {"source_row": row},
            "user_properties": {"country": countries[user % len(countries)]},
        }
        yield json.dumps(event).encode()


@dataclass(frozen=True)
class Regions:
    """A simulator for each region, with its own key, and a destination for each."""

    config: Config
    urls: Mapping[str, str]
    client: httpx.AsyncClient

    def name(self, region: str) -> str:
        return next(one.name for one in self.config.destinations if one.region == region)

    async def stats(self, region: str) -> dict[str, Any]:
        stats: dict[str, Any] = (await self.client.get(f"{self.urls[region]}/_stats")).json()
        return stats

    async def accepted(self, region: str) -> int:
        return int((await self.stats(region))["accepted"])

    async def received(self, region: str) -> list[Fields]:
        answer = await self.client.get(f"{self.urls[region]}/_received")
        return [json.loads(line) for line in answer.text.splitlines()]

    async def set_faults(self, region: str, *rules: Fields) -> None:
        url = f"{self.urls[region]}/_faults"
        (await self.client.post(url, json={"seed": 1, "rules": rules})).raise_for_status()

    async def produce(self, values: Sequence[bytes], *, over_seconds: float = 0.0) -> None:
        kafka = self.config.kafka
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
            began = time.monotonic()
            for number, value in enumerate(values):
                fields = json.loads(value)
                key = fields.get("user_id") or fields["device_id"]
                await producer.send(kafka.topics.events, key=key.encode(), value=value)
                ahead = began + over_seconds * number / len(values) - time.monotonic()
                if ahead > 0.02:
                    await asyncio.sleep(ahead)  # The pace of a shop that goes on selling.
            await producer.flush()

    async def dead_letter(self) -> Mapping[str, str]:
        kafka = self.config.kafka
        consumer = AIOKafkaConsumer(
            kafka.topics.dead_letters,
            bootstrap_servers=kafka.bootstrap_servers,
            auto_offset_reset="earliest",
        )
        async with consumer, asyncio.timeout(DEADLINE_SECONDS):
            letter = await consumer.getone()
        return {name: value.decode() for name, value in letter.headers}

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[Sequence[Worker]]:
        async with AsyncExitStack() as stack:
            letters = Letters(self.config.kafka)
            await letters.start()
            stack.push_async_callback(letters.stop)
            workers: list[Worker] = []
            for one in self.config.destinations:
                http = await stack.enter_async_context(sender_to(one))
                workers += workers_of(one, self.config, http, letters)
            running = [asyncio.create_task(worker.run()) for worker in workers]
            try:
                yield workers
            finally:
                for worker in workers:
                    worker.stop()
                await asyncio.gather(*running)


SIMULATOR = "import sys; from ampgate.simulators.app import serve; serve('aampe', '127.0.0.1', \
int(sys.argv[1]), accepted_keys=frozenset([sys.argv[2]]))"


@pytest.fixture(scope="module")
def urls() -> Iterator[Mapping[str, str]]:
    """A simulator for each region, in a process of its own, that knows one key only."""
    ports = dict(zip(COUNTRIES, free_ports(len(COUNTRIES)), strict=True))
    started = [
        leash.spawn([sys.executable, "-c", SIMULATOR, str(port), f"key-{region}"])
        for region, port in ports.items()
    ]
    try:
        urls = {region: f"http://127.0.0.1:{port}" for region, port in ports.items()}
        transport = httpx.HTTPTransport(retries=8)  # While they start: 0.5 s, doubled each time.
        with httpx.Client(transport=transport) as client:
            for url in urls.values():
                client.get(f"{url}/_stats").raise_for_status()
        yield urls
    finally:
        for simulator in started:
            simulator.terminate()
        for simulator in started:
            simulator.wait()


@pytest.fixture
async def regions(
    kafka: Broker, topic_prefix: str, urls: Mapping[str, str]
) -> AsyncIterator[Regions]:
    destinations = [
        {
            "name": f"{topic_prefix[:-1]}-{region}",
            "type": "aampe",
            "region": region,
            "api_key": f"key-{region}",
            "base_url": urls[region],
            "where": {"user_properties.country": countries},
        }
        for region, countries in COUNTRIES.items()
    ]
    reached = {"bootstrap_servers": kafka.bootstrap_servers, "topic_prefix": topic_prefix}
    config = Config.model_validate({"kafka": reached, "destinations": destinations})
    await topics.create(config.kafka, partitions=3)
    async with httpx.AsyncClient(timeout=60) as client:
        for url in urls.values():
            (await client.post(f"{url}/_reset")).raise_for_status()
        yield Regions(config, urls, client)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await holds():  # noqa: ASYNC110  The far end tells nobody.
            await asyncio.sleep(0.05)


def rows_by_contact(values: Sequence[bytes], region: str) -> dict[str, list[int]]:
    """What a region ought to get, in order."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for event in map(json.loads, values):
        if "user_id" in event and event["user_properties"]["country"] in COUNTRIES[region]:
            rows[event["user_id"]].append(event["event_properties"]["source_row"])
    return rows


def settled(name: str, outcome: str) -> int:
    labels = {"destination": name, "kind": "event", "outcome": outcome}
    return int(REGISTRY.get_sample_value("ampgate_delivery_records_total", labels) or 0)


def share_within_two_seconds(name: str) -> float:
    labels = {"destination": name}
    metric = "ampgate_delivery_end_to_end_seconds"
    within = REGISTRY.get_sample_value(f"{metric}_bucket", {**labels, "le": "2.0"}) or 0.0
    return within / (REGISTRY.get_sample_value(f"{metric}_count", labels) or 1.0)


async def test_one_dead_region_and_a_throttled_one_cost_the_third_nothing(
    regions: Regions,
) -> None:
    healthy, dead, throttled = COUNTRIES
    values = list(real_events(EVENTS))
    expected = {region: rows_by_contact(values, region) for region in COUNTRIES}
    counts = {region: sum(map(len, expected[region].values())) for region in COUNTRIES}
    assert all(counts.values())
    await regions.set_faults(dead, {"effect": {"kind": "reset", "when": "before"}})
    told_to_wait = {"effect": {"kind": "throttle", "seconds": RETRY_AFTER_SECONDS}}
    await regions.set_faults(throttled, told_to_wait)

    async def is_through(region: str) -> bool:
        return await regions.accepted(region) >= counts[region]

    async def has_settled_all(region: str) -> bool:
        name = regions.name(region)
        return settled(name, "delivered") + settled(name, "skipped") >= len(values)

    async def has_probed_twice() -> bool:
        told = int((await regions.stats(throttled))["throttled_answers"])
        return told >= first_told + 2

    async with regions.delivering():
        await regions.produce(values, over_seconds=OUTAGE_SECONDS)
        await until(partial(is_through, healthy))
        within = share_within_two_seconds(regions.name(healthy))
        first_told = int((await regions.stats(throttled))["throttled_answers"])
        await until(has_probed_twice)
        assert [await regions.accepted(region) for region in (dead, throttled)] == [0, 0]
        for region in (dead, throttled):
            await regions.set_faults(region)
        for region in COUNTRIES:
            await until(partial(is_through, region))
            await until(partial(has_settled_all, region))

    for region in COUNTRIES:
        found: defaultdict[str, list[int]] = defaultdict(list)
        for event in await regions.received(region):
            found[event["contact_id"]].append(event["metadata"]["source_row"])
        assert found == expected[region], "lost, repeated, out of order or in the wrong region"
        assert (await regions.stats(region))["violations"] == []
        name = regions.name(region)
        assert settled(name, "delivered") == counts[region]
        assert settled(name, "skipped") == len(values) - counts[region]
    print(f"\n{counts}; {healthy}: {within:.2%} delivered within 2 s of being accepted")
    if OUTAGE_SECONDS:
        assert within >= 0.99


async def test_a_wrong_key_pauses_its_region_alone(regions: Regions) -> None:
    healthy, locked, _ = COUNTRIES
    refusal = {"kind": "answer", "status": 401, "body": {"detail": "Invalid API Key"}}
    await regions.set_faults(locked, {"effect": refusal})
    values = list(real_events(2000))

    async def is_paused() -> bool:
        return any(worker.paused == "status_401" for worker in workers)

    async def is_through() -> bool:
        rows = rows_by_contact(values, healthy)
        return await regions.accepted(healthy) == sum(len(found) for found in rows.values())

    async with regions.delivering() as workers:
        await regions.produce(values)
        await until(is_paused)
        await until(is_through)
        paused = {worker.name for worker in workers if worker.paused}

    assert paused == {f"{regions.name(locked)}/event"}
    assert settled(regions.name(locked), "dead") == 0


async def test_a_refused_event_is_a_dead_letter_that_names_the_field(regions: Regions) -> None:
    region = next(iter(COUNTRIES))
    problem = {"loc": ["body", "metadata"], "msg": "Input should be a valid dictionary"}
    refusal = {"kind": "answer", "status": 422, "body": {"detail": [problem]}}
    await regions.set_faults(region, {"match": {"id": "bad"}, "effect": refusal})
    properties = {"country": COUNTRIES[region][0]}
    event = {"event_type": "e", "user_id": "bad", "user_properties": properties}

    async with regions.delivering():
        await regions.produce([json.dumps(event).encode()])
        letter = await regions.dead_letter()

    assert letter["destination"] == regions.name(region)
    assert (letter["reason"], letter["status"]) == ("invalid_field", "422")
    assert letter["detail"] == "body.metadata: Input should be a valid dictionary"


async def test_lost_replies_repeat_the_same_event_and_are_counted(regions: Regions) -> None:
    region = next(iter(COUNTRIES))
    lost = {"probability": 0.05, "effect": {"kind": "reset", "when": "after"}}
    await regions.set_faults(region, lost)
    values = list(real_events(1500))
    rows = rows_by_contact(values, region)

    async def is_through() -> bool:
        return settled(regions.name(region), "delivered") >= sum(len(one) for one in rows.values())

    async with regions.delivering():
        await regions.produce(values)
        await until(is_through)

    ids = Counter(event["event_id"] for event in await regions.received(region))
    labels = {"destination": regions.name(region), "reason": "connection_broken"}
    counted = REGISTRY.get_sample_value("ampgate_delivery_ambiguous_repeats_total", labels)
    assert len(ids) == sum(map(len, rows.values()))
    assert counted == ids.total() - len(ids) > 0


async def test_identify_events_update_properties_in_their_users_order(regions: Regions) -> None:
    region = next(iter(COUNTRIES))
    properties = {"country": COUNTRIES[region][0]}

    def event(number: int) -> bytes:
        common = {"user_id": f"user-{number % 7}", "time": number}
        if number % 3:
            ordinary = {"event_type": "e", "event_properties": {}, "user_properties": properties}
            return json.dumps(common | ordinary).encode()
        operations = {"$set": {**properties, "n": number}, "$add": {"visits": 1}}
        identify = {"event_type": "$identify", "user_properties": operations}
        return json.dumps(common | identify).encode()

    async def is_through() -> bool:
        return await regions.accepted(region) == 600

    async with regions.delivering():
        await regions.produce([event(number) for number in range(600)])
        await until(is_through)

    times: defaultdict[str, list[float]] = defaultdict(list)
    for body in await regions.received(region):
        times[body["contact_id"]].append(body["timestamp"])
        is_update = round(body["timestamp"] * 1000) % 3 == 0
        assert ("user_properties" in body, "event_name" in body) == (is_update, not is_update)
    assert all(found == sorted(found) for found in times.values())
    labels = {"destination": regions.name(region), "reason": "unsupported_operation"}
    assert REGISTRY.get_sample_value("ampgate_delivery_skipped_total", labels) == 200
    assert settled(regions.name(region), "skipped") == 0
