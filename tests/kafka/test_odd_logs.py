"""Kafka as it is: odd records, transactions, and logs that lose their beginning or their end."""

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client import REGISTRY

from tests.eventually import eventually, seen
from tests.kafka.delivery_world import Clock, World
from tests.kafka.kafka_operations import (
    add_partitions,
    commit,
    committed,
    delete_below,
    lost,
    metric,
    now_ms,
    produce_in_order,
    produce_raw,
    with_amplitude,
)
from tests.operating import AMPLITUDE
from tests.raw_batches import Raw


@pytest.fixture
def amplitude(world: World) -> World:
    return with_amplitude(world)


def purchase(number: int, size: int = 0) -> bytes:
    properties = {"n": number, "padding": "x" * size}
    value = {"event_type": "Bought", "user_id": "ann", "event_properties": properties}
    return json.dumps(value).encode()


async def numbers(world: World) -> list[int]:
    return [one["event_properties"]["n"] for one in await world.received("amplitude")]


def lag(topic: str, partition: int = 0) -> float:
    """No number before it was measured."""
    labels = {"destination": AMPLITUDE, "topic": topic, "partition": str(partition)}
    found = REGISTRY.get_sample_value("ampgate_delivery_lag_records", labels)
    return math.nan if found is None else found


def waiting(reason: str) -> float:
    return metric("waiting_records", destination=AMPLITUDE, reason=reason)


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
async def test_a_header_name_that_is_not_utf8_harms_nobody(amplitude: World, codec: str) -> None:
    topic = amplitude.config.kafka.topics.events
    records = [Raw(b"ann", purchase(n)) for n in range(3)]
    odd = [(b"caf\xe9\xff", b"1"), (b"source", None), (b"source", b"shop"), (b"", b"")]
    records[1] = Raw(b"ann", purchase(1), odd)
    await produce_raw(amplitude, topic, records, codec)
    await produce_raw(amplitude, topic, [Raw(b"ann", b"not json", odd)], codec)
    await produce_raw(amplitude, topic, [Raw(b"ann", purchase(3))], codec)
    async with amplitude.delivering():
        await amplitude.until_accepted("amplitude", 4)
        [letter] = await amplitude.dead_letters(1)

    assert await numbers(amplitude) == [0, 1, 2, 3]
    assert (letter["reason"], letter["value"]) == ("not_json", "not json")
    assert letter["caf\\xe9\\xff"] == "1"


async def test_of_transactions_only_what_is_committed_is_delivered(amplitude: World) -> None:
    topic = amplitude.config.kafka.topics.events
    servers = amplitude.config.kafka.bootstrap_servers
    await produce_in_order(amplitude, topic, [purchase(0)], b"ann")
    async with (
        AIOKafkaProducer(bootstrap_servers=servers, transactional_id=f"{topic}1") as one,
        AIOKafkaProducer(bootstrap_servers=servers, transactional_id=f"{topic}2") as other,
    ):
        for number, ends in ((1, one.commit_transaction), (2, one.abort_transaction)):
            await one.begin_transaction()
            await one.send_and_wait(topic, purchase(number), b"ann", partition=0)
            await ends()
        async with amplitude.delivering():
            await amplitude.until_accepted("amplitude", 2)
            # Markers and what was aborted is behind it, and no lag.
            await eventually(lambda: lag(topic) == 0)
            await other.begin_transaction()
            await other.send_and_wait(topic, purchase(3), b"ann", partition=0)
            await produce_in_order(amplitude, topic, [purchase(4)], b"ann")
            # The same reader gets a later record of another partition, and none of these.
            await produce_in_order(amplitude, topic, [purchase(5)], b"ann", partition=1)
            await amplitude.until_accepted("amplitude", 3)
            assert sorted(await numbers(amplitude)) == [0, 1, 5]
            await eventually(lambda: lag(topic) == 0)
            await other.commit_transaction()
            await amplitude.until_accepted("amplitude", 5)
            await eventually(lambda: lag(topic) == 0)

    assert [one for one in await numbers(amplitude) if one != 5] == [0, 1, 3, 4]
    assert lost(topic) == 0


@pytest.mark.parametrize("delta", [-20, 0, 2**20], ids=["before", "twice", "beyond"])
async def test_offsets_that_lie_cost_their_own_batch_only(amplitude: World, delta: int) -> None:
    """Kafka stores a batch without compression as its producer wrote it."""
    topic = amplitude.config.kafka.topics.events
    first, lying, behind = (Raw(b"ann", purchase(n)) for n in range(1, 4))
    await produce_raw(amplitude, topic, [Raw(b"ann", purchase(0))])
    await produce_raw(amplitude, topic, [first, replace(lying, delta=delta), behind])
    await produce_raw(amplitude, topic, [Raw(b"ann", purchase(4))])
    async with amplitude.delivering():
        await amplitude.until_accepted("amplitude", 3)
        await eventually(lambda: lag(topic) == 0)

    assert await numbers(amplitude) == [0, 1, 4]
    assert lost(topic) == 2


async def test_what_retention_deleted_while_nobody_read_is_counted(amplitude: World) -> None:
    topic = amplitude.config.kafka.topics.events
    await produce_in_order(amplitude, topic, [purchase(0)], b"ann")
    async with amplitude.delivering():
        await amplitude.until_accepted("amplitude", 1)
    await produce_in_order(amplitude, topic, [purchase(n) for n in range(1, 61)], b"ann")
    await delete_below(amplitude, {(topic, 0): 56})
    for _ in range(2):
        async with amplitude.delivering():
            await amplitude.until_accepted("amplitude", 6)
            await eventually(lambda: lag(topic) == 0)
        assert lost(topic) == 55

    assert await numbers(amplitude) == [0, *range(56, 61)]


async def test_what_retention_deleted_of_an_added_partition_before_it_was_noticed_is_counted(
    amplitude: World,
) -> None:
    topics = amplitude.config.kafka.topics
    topic, added = topics.events, 3
    await produce_in_order(amplitude, topic, [purchase(0)], b"ann")
    async with amplitude.delivering():
        await amplitude.until_accepted("amplitude", 1)
        await eventually(lambda: lag(topic) == 0)
    await add_partitions(amplitude, topic, topics.parked)
    values = [purchase(number) for number in range(1, 5)]
    await produce_in_order(amplitude, topic, values, b"ann", partition=added)
    await delete_below(amplitude, {(topic, added): 3})
    for _ in range(2):
        async with amplitude.delivering():
            await amplitude.until_accepted("amplitude", 2)
            await eventually(lambda: lag(topic) == 0)
        assert lost(topic) == 3

    assert await numbers(amplitude) == [0, 4]


async def test_what_retention_deletes_while_we_wait_is_counted(world: World) -> None:
    delivery = world.config.delivery.model_copy(update={"max_memory_bytes": 300_000})
    config = world.config.model_copy(update={"delivery": delivery})
    small = with_amplitude(World(config, world.urls))
    topic = config.kafka.topics.events
    refused = {"effect": {"kind": "answer", "status": 503, "body": ""}}
    await small.set_faults("amplitude", refused)
    await produce_in_order(small, topic, [purchase(n, 10_000) for n in range(600)], b"ann")
    async with small.delivering():
        await eventually(lambda: waiting("in_flight") > 0)
        await delete_below(small, {(topic, 0): 590})
        await small.set_faults("amplitude")
        await eventually(lambda: lost(topic) > 0)
        await eventually(lambda: lag(topic) == 0)
        found = await numbers(small)

    assert found == sorted(set(found))
    assert found[-10:] == list(range(590, 600))
    assert len(found) + lost(topic) == 600


async def test_a_committed_offset_beyond_the_end_is_no_reason_to_end_or_to_lose(
    amplitude: World,
) -> None:
    """As after an unclean election, or when a topic was made anew."""
    topic = amplitude.config.kafka.topics.events
    await produce_in_order(amplitude, topic, [purchase(n) for n in range(10)], b"ann")
    await commit(amplitude, 1000)
    async with amplitude.delivering():
        await amplitude.until_accepted("amplitude", 10)
        await eventually(lambda: lag(topic) == 0)

    assert await numbers(amplitude) == list(range(10))


@pytest.mark.parametrize(
    ("start", "expected"),
    [("earliest", [0, 1, 2, 3]), ("latest", [2, 3]), ("since", [1, 2, 3])],
)
async def test_a_new_destination_starts_where_its_start_says(
    world: World, start: str, expected: list[int]
) -> None:
    """Also when it ends before it has delivered anything, and partitions are added."""
    topics = world.config.kafka.topics
    await produce_in_order(world, topics.events, [purchase(0)], b"ann")
    since = datetime.fromtimestamp(now_ms() / 1000 + 0.001, UTC)
    await eventually(lambda: datetime.now(UTC) > since)
    await produce_in_order(world, topics.events, [purchase(1)], b"ann")
    new = with_amplitude(world, start=since if start == "since" else start)
    await new.set_faults("amplitude", {"effect": {"kind": "answer", "status": 503, "body": ""}})
    async with new.delivering():
        await seen(partial(committed, new), lambda offsets: len(offsets) == 3)
    await produce_in_order(world, topics.events, [purchase(2)], b"ann")
    await add_partitions(world, topics.events, topics.parked)
    await produce_in_order(world, topics.events, [purchase(3)], b"ann", partition=3)
    await new.set_faults("amplitude")
    async with new.delivering():
        await new.until_accepted("amplitude", len(expected))
        await eventually(lambda: lag(topics.events) == lag(topics.events, 3) == 0)

    assert sorted(await numbers(new)) == expected


async def test_parked_records_that_retention_deleted_are_counted(amplitude: World) -> None:
    topics = amplitude.config.kafka.topics
    quota = {"match": {"id": "ann"}, "effect": {"kind": "daily_quota"}}
    await amplitude.set_faults("amplitude", quota)
    await produce_in_order(amplitude, topics.events, [purchase(n) for n in range(20)], b"ann")
    clock = Clock()
    async with amplitude.delivering(clock):
        await eventually(lambda: waiting("parked") == 20)
        await eventually(lambda: lag(topics.events) == 0)
    await delete_below(amplitude, {(topics.parked, 0): 15})
    async with amplitude.delivering(clock):
        await eventually(lambda: lost(topics.parked) == 15)
        await eventually(lambda: waiting("parked") == 5)

    assert lost(topics.events) == 0
