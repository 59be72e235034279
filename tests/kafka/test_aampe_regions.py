"""Three Aampe regions: a fault of one delays only its own events.

The whole demonstration, 100,000 events over a minute in which one region is dead and another
throttles, takes two minutes:

    AMPGATE_OUTAGE_SECONDS=60 AMPGATE_OUTAGE_EVENTS=100000 python -m pytest -s \
        tests/kafka/test_aampe_regions.py -k one_dead
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import REGISTRY

from ampgate import topics
from ampgate.lab import parent_death
from ampgate.lab.kafka.ports import free_ports
from schemas.configuration.config import Config
from tests.conftest import Broker
from tests.eventually import eventually, seen
from tests.kafka.delivery_world import World
from tests.kafka.processes import until_answers
from tests.kafka.shop_events import COUNTRIES, real_events, rows_by_contact
from tests.loopback import loopback_client

EVENTS = int(os.environ.get("AMPGATE_OUTAGE_EVENTS", "6000"))
OUTAGE_SECONDS = float(os.environ.get("AMPGATE_OUTAGE_SECONDS", "0"))
RETRY_AFTER_SECONDS = 5 if OUTAGE_SECONDS else 2
SIMULATOR = "import sys; from ampgate.lab.simulators.app import serve; serve('aampe', '127.0.0.1', \
int(sys.argv[1]), accepted_keys=frozenset([sys.argv[2]]))"


@pytest.fixture(scope="module")
def urls() -> Iterator[Mapping[str, str]]:
    """A simulator for each region, in a process of its own, that knows one key only."""
    ports = dict(zip(COUNTRIES, free_ports(len(COUNTRIES)), strict=True))
    started = [
        parent_death.spawn([sys.executable, "-c", SIMULATOR, str(port), f"key-{region}"])
        for region, port in ports.items()
    ]
    try:
        urls = {region: f"http://127.0.0.1:{port}" for region, port in ports.items()}
        for url in urls.values():
            asyncio.run(until_answers(f"{url}/_stats", 200))
        yield urls
    finally:
        for simulator in started:
            simulator.terminate()
        for simulator in started:
            simulator.wait()


@pytest.fixture
async def regions(kafka: Broker, topic_prefix: str, urls: Mapping[str, str]) -> World:
    """A destination for each, to the simulator of its region."""
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
    async with loopback_client() as client:
        for url in urls.values():
            (await client.post(f"{url}/_reset")).raise_for_status()
    return World(config, urls)


def name_of(regions: World, region: str) -> str:
    """Of the destination."""
    return next(one.name for one in regions.config.destinations if one.data_region == region)


async def accepted(regions: World, region: str) -> int:
    return int((await regions.stats(region))["accepted"])


async def produce(world: World, values: Sequence[bytes], *, over_seconds: float = 0.0) -> None:
    kafka = world.config.kafka
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


def settled(name: str, outcome: str) -> int:
    labels = {"destination": name, "kind": "event", "outcome": outcome}
    return int(REGISTRY.get_sample_value("ampgate_delivery_records_total", labels) or 0)


def share_within_two_seconds(name: str) -> float:
    labels = {"destination": name}
    metric = "ampgate_delivery_end_to_end_seconds"
    within = REGISTRY.get_sample_value(f"{metric}_bucket", {**labels, "le": "2.0"}) or 0.0
    return within / (REGISTRY.get_sample_value(f"{metric}_count", labels) or 1.0)


async def test_one_dead_region_and_a_throttled_one_cost_the_third_nothing(
    regions: World,
) -> None:
    healthy, dead, throttled = COUNTRIES
    values = list(real_events(EVENTS))
    expected = {region: rows_by_contact(values, region) for region in COUNTRIES}
    counts = {region: sum(map(len, expected[region].values())) for region in COUNTRIES}
    assert all(counts.values())
    await regions.set_faults(dead, {"effect": {"kind": "reset", "when": "before"}})
    told_to_wait = {"effect": {"kind": "throttle", "seconds": RETRY_AFTER_SECONDS}}
    await regions.set_faults(throttled, told_to_wait)

    def has_settled_all(region: str) -> bool:
        name = name_of(regions, region)
        return settled(name, "delivered") + settled(name, "skipped") >= len(values)

    async with regions.delivering():
        await produce(regions, values, over_seconds=OUTAGE_SECONDS)
        await regions.until_accepted(healthy, counts[healthy])
        within = share_within_two_seconds(name_of(regions, healthy))
        told = (await regions.stats(throttled))["throttled_answers"]
        await seen(  # It is probed.
            partial(regions.stats, throttled), lambda now: now["throttled_answers"] >= told + 2
        )
        assert [await accepted(regions, region) for region in (dead, throttled)] == [0, 0]
        for region in (dead, throttled):
            await regions.set_faults(region)
        for region in COUNTRIES:
            await regions.until_accepted(region, counts[region])
            await eventually(partial(has_settled_all, region))

    for region in COUNTRIES:
        found: defaultdict[str, list[int]] = defaultdict(list)
        for event in await regions.received(region):
            found[event["contact_id"]].append(event["metadata"]["source_row"])
        assert found == expected[region], "lost, repeated, out of order or in the wrong region"
        assert (await regions.stats(region))["violations"] == []
        name = name_of(regions, region)
        assert settled(name, "delivered") == counts[region]
        assert settled(name, "skipped") == len(values) - counts[region]
    print(f"\n{counts}; {healthy}: {within:.2%} delivered within 2 s of being accepted")
    if OUTAGE_SECONDS:
        assert within >= 0.99


async def test_a_wrong_key_pauses_its_region_alone(regions: World) -> None:
    healthy, locked, _ = COUNTRIES
    refusal = {"kind": "answer", "status": 401, "body": {"detail": "Invalid API Key"}}
    await regions.set_faults(locked, {"effect": refusal})
    values = list(real_events(2000))
    expected = sum(map(len, rows_by_contact(values, healthy).values()))

    async with regions.delivering() as workers:
        await produce(regions, values)
        await eventually(lambda: any(worker.paused == "status_401" for worker in workers))
        await regions.until_accepted(healthy, expected)
        paused = {worker.name for worker in workers if worker.paused}

    assert paused == {f"{name_of(regions, locked)}/event"}
    assert settled(name_of(regions, locked), "dead") == 0


async def test_a_refused_event_is_a_dead_letter_that_names_the_field(regions: World) -> None:
    region = next(iter(COUNTRIES))
    problem = {"loc": ["body", "metadata"], "msg": "Input should be a valid dictionary"}
    refusal = {"kind": "answer", "status": 422, "body": {"detail": [problem]}}
    await regions.set_faults(region, {"match": {"id": "bad"}, "effect": refusal})
    properties = {"country": COUNTRIES[region][0]}
    event = {"event_type": "e", "user_id": "bad", "user_properties": properties}

    async with regions.delivering():
        await produce(regions, [json.dumps(event).encode()])
        (letter,) = await regions.dead_letters(1)

    assert letter["destination"] == name_of(regions, region)
    assert (letter["reason"], letter["status"]) == ("invalid_field", "422")
    assert letter["detail"] == "body.metadata: Input should be a valid dictionary"


async def test_lost_replies_repeat_the_same_event_and_are_counted(regions: World) -> None:
    region = next(iter(COUNTRIES))
    lost = {"probability": 0.05, "effect": {"kind": "reset", "when": "after"}}
    await regions.set_faults(region, lost)
    values = list(real_events(1500))
    expected = sum(map(len, rows_by_contact(values, region).values()))
    name = name_of(regions, region)

    async with regions.delivering():
        await produce(regions, values)
        await eventually(lambda: settled(name, "delivered") >= expected)

    ids = Counter(event["event_id"] for event in await regions.received(region))
    labels = {"destination": name, "reason": "connection_broken"}
    counted = REGISTRY.get_sample_value("ampgate_delivery_ambiguous_repeats_total", labels)
    assert len(ids) == expected
    assert counted == ids.total() - len(ids) > 0


async def test_identify_events_update_properties_in_their_users_order(regions: World) -> None:
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

    async with regions.delivering():
        await produce(regions, [event(number) for number in range(600)])
        await regions.until_accepted(region, 600)

    times: defaultdict[str, list[float]] = defaultdict(list)
    for body in await regions.received(region):
        times[body["contact_id"]].append(body["timestamp"])
        is_update = round(body["timestamp"] * 1000) % 3 == 0
        assert ("user_properties" in body, "event_name" in body) == (is_update, not is_update)
    assert sum(map(len, times.values())) == 600
    assert all(found == sorted(found) for found in times.values())
    labels = {"destination": name_of(regions, region), "reason": "unsupported_operation"}
    assert REGISTRY.get_sample_value("ampgate_delivery_skipped_total", labels) == 200
    assert settled(name_of(regions, region), "skipped") == 0
