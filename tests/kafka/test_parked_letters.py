"""Parked records that are too large, on a real broker."""

import os
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer

from consumers.delivery.destination import Encoded
from consumers.delivery.entry import Entry
from consumers.delivery.lanes import Letter
from consumers.delivery.offsets import Offsets
from consumers.kafka.loader import Loader
from schemas.configuration.config import Config, Kafka
from schemas.records import Record, TopicPartition
from tests.kafka.delivery_world import World
from tests.kafka.kafka_operations import produce_raw
from tests.kafka.letter_writing import DESTINATION, SMALL, opened, topics
from tests.kafka.writing import Topic
from tests.raw_batches import Raw


async def parked_again(kafka: Kafka, count: int) -> Sequence[bytes | None]:
    return [record.value for record in await records_again(kafka, count)]


async def records_again(kafka: Kafka, count: int) -> Sequence[Record]:
    loader = Loader(kafka, DESTINATION, kafka.topics.events)
    place = TopicPartition(kafka.topics.parked, 0)
    await loader.start()
    found: list[Record] = []
    try:
        while len(found) < count:
            loaded, _ = await loader.read(place, len(found), 100)
            found += loaded
    finally:
        await loader.stop()
    return found


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "learned"])
async def test_what_is_too_large_to_be_parked_comes_back_whole_and_in_order(
    configured: Kafka, is_told: bool
) -> None:
    _, parked = await topics(configured, max_message_bytes=str(SMALL))
    events = Topic(configured, configured.topics.events)
    await events.create(max_message_bytes="22020096")
    values = [b"first", os.urandom(50_000), b"third", os.urandom(2_000_000), b"fifth"]
    places = await events.produce(values)
    waiting = [
        Letter(
            Entry(record, Offsets(0), record.offset, Encoded(b"", "user"), 0), "quota", "", 1.0, 2.0
        )
        for record in places
    ]
    async with opened(configured) as letters:
        if not is_told:
            letters._log.sizes.untold(parked.name)
        await letters.park(waiting, DESTINATION)

    assert await parked_again(configured, len(values)) == values


async def test_a_parked_reference_to_what_is_not_there_holds_up_no_other(configured: Kafka) -> None:
    """Anybody may write to the topic; asking Kafka for what it does not have would never end."""
    _, parked = await topics(configured)
    events = Topic(configured, configured.topics.events)
    await events.create()
    await events.produce([b"original"])
    lies = [
        (DESTINATION, f"{events.name}/2147483647/0"),
        (DESTINATION, f"{events.name}/0/{2**63 - 1}"),
        (DESTINATION, "no-such-topic/0/0"),
        (DESTINATION, "not the name of a topic/0/0"),
        (DESTINATION, "/0/0"),
        ("another", f"{events.name}/0/0"),
    ]
    async with AIOKafkaProducer(bootstrap_servers=configured.bootstrap_servers) as producer:
        for destination, origin in lies:
            said = {"destination": destination, "origin": origin, "truncated": "8"}
            headers = [(name, text.encode()) for name, text in said.items()]
            await producer.send_and_wait(parked.name, None, b"user", headers=headers)
        await producer.send_and_wait(parked.name, b"good", b"user")

    assert await parked_again(configured, len(lies) + 1) == [None] * len(lies) + [b"good"]


async def test_a_parked_reference_keeps_the_key_by_which_it_waits(configured: Kafka) -> None:
    """With that of what it refers to, it would be read again for ever, and others behind it."""
    _, parked = await topics(configured)
    events = Topic(configured, configured.topics.events)
    await events.create()
    await events.produce([b"original"])
    said = {"destination": DESTINATION, "origin": f"{events.name}/0/0", "truncated": "8"}
    headers = [(name.encode(), text.encode()) for name, text in said.items()]
    keys = [b"user", b"another", None]
    written = [Raw(key, None, headers) for key in keys]
    await produce_raw(World(Config(kafka=configured), {}), parked.name, written)

    found = await records_again(configured, len(keys))
    assert [record.key for record in found] == keys
    assert [record.value for record in found] == [b"original", b"original", None]
