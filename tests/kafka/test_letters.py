"""Letters that cannot be written as they are, or not now, on a real broker."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer
from structlog.testing import capture_logs

from consumers.delivery.destination import Encoded
from consumers.delivery.lanes import Entry, Letter
from consumers.delivery.offsets import Offsets
from consumers.kafka.letters import Letters
from consumers.kafka.loader import Loader
from schemas.configuration.config import Kafka
from schemas.letters import LetterHeaders, Origin
from schemas.records import Headers, Stored, TopicPartition
from tests.conftest import Broker
from tests.eventually import eventually, seen
from tests.kafka.delivery_world import World, event
from tests.kafka.writing import Topic, records

SMALL = 20_000
DESTINATION = "amplitude"


@pytest.fixture
def configured(kafka: Broker, topic_prefix: str) -> Kafka:
    return Kafka(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=topic_prefix)


@asynccontextmanager
async def opened(kafka: Kafka) -> AsyncIterator[Letters]:
    letters = Letters(kafka)
    await letters.start()
    try:
        yield letters
    finally:
        await letters.stop()


def a_letter(
    offset: int,
    value: bytes | None,
    key: bytes | None = b"user",
    headers: Headers = (("source", b"shop"),),
    not_before: float | None = None,
) -> Letter:
    record = Stored("t.events", 0, offset, 1_800_000_000_000, key, value, headers)
    entry = Entry(record, Offsets(0), offset, Encoded(b"", "user"))
    return Letter(entry, "malformed_json", "so it says", 1_800_000_000.0, not_before)


async def topics(kafka: Kafka, max_message_bytes: str = "1048588") -> tuple[Topic, Topic]:
    dead, parked = Topic(kafka, kafka.topics.dead_letters), Topic(kafka, kafka.topics.parked)
    for topic in (dead, parked):
        await topic.create(max_message_bytes=max_message_bytes)
    return dead, parked


async def test_a_letter_with_neither_key_nor_value_is_stored(configured: Kafka) -> None:
    dead, _ = await topics(configured)
    async with opened(configured) as letters:
        await letters.bury(a_letter(7, None, key=None), DESTINATION)

    [stored] = await records(dead)
    assert (stored.key, stored.value) == (None, None)
    said = LetterHeaders.decoded(stored.headers)
    assert said.origin == Origin(TopicPartition("t.events", 0), 7)


async def test_a_header_that_cannot_be_written_keeps_no_letter_out(configured: Kafka) -> None:
    dead, _ = await topics(configured)
    odd: Headers = [("\udcff", b"x"), ("none", None), ("", b""), ("source", b"shop")]
    async with opened(configured) as letters:
        await letters.bury(a_letter(7, b"{", headers=odd), DESTINATION)

    [stored] = await records(dead)
    names = dict(stored.headers)
    assert stored.value == b"{"
    assert (names["source"], names["none"], names["reason"]) == (b"shop", None, b"malformed_json")


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "learned"])
async def test_letters_too_large_for_their_topic_are_cut_and_hold_up_nobody(
    configured: Kafka, is_told: bool
) -> None:
    dead, _ = await topics(configured, max_message_bytes=str(SMALL))
    sizes = [5, 100_000, 7, 3_000_000, 5]
    async with opened(configured) as letters:
        if not is_told:  # As where we must not read the topic's configuration.
            letters._log.sizes.untold(dead.name)
        await asyncio.gather(
            *(
                letters.bury(a_letter(at, os.urandom(size), b"%d" % at), DESTINATION)
                for at, size in enumerate(sizes)
            )
        )

    stored = {int(one.key): one for one in await records(dead)}
    assert len(stored) == len(sizes)
    for at, size in enumerate(sizes):
        said = dict(stored[at].headers)
        assert said["origin"] == b"t.events/0/%d" % at
        if size < SMALL:
            assert (len(stored[at].value), said.get("truncated")) == (size, None)
        else:
            assert said["truncated"] == b"%d" % size
            assert SMALL * 0.4 < len(stored[at].value) < SMALL


async def test_a_letter_larger_than_our_own_producer_takes_is_cut(configured: Kafka) -> None:
    dead, _ = await topics(configured, max_message_bytes="22020096")
    async with opened(configured) as letters:
        await letters.bury(a_letter(1, os.urandom(24_000_000)), DESTINATION)
        await letters.bury(a_letter(2, b"x" * 24_000_000), DESTINATION)
        await letters.bury(a_letter(3, b"{", headers=[("h", os.urandom(23_000_000))]), DESTINATION)

    incompressible, compressible, headed = await records(dead)
    assert len(incompressible.value) > 20_900_000
    assert dict(incompressible.headers)["truncated"] == b"24000000"
    assert compressible.value == b"x" * 24_000_000
    assert headed.value == b"{"


async def test_many_large_letters_at_once_fit_the_brokers_requests(configured: Kafka) -> None:
    dead = Topic(configured, configured.topics.dead_letters)
    await dead.create(partitions=8, max_message_bytes="22020096")
    await Topic(configured, configured.topics.parked).create(partitions=8)
    value = os.urandom(19_000_000)  # Eight of them are more than a broker takes in one request.
    async with opened(configured) as letters:
        await asyncio.gather(
            *(letters.bury(a_letter(at, value, b"%d" % at), DESTINATION) for at in range(12))
        )
    assert len(await records(dead)) == 12


async def test_letters_that_kafka_refuses_for_a_while_are_written_once_when_it_takes_them(
    configured: Kafka,
) -> None:
    dead, parked = await topics(configured)
    await dead.delete()
    await dead.create(cleanup_policy="compact")  # It takes no record without a key.
    with capture_logs() as said:
        async with opened(configured) as letters:
            async with asyncio.TaskGroup() as tasks:
                for at in range(20):
                    tasks.create_task(letters.bury(a_letter(at, b"%d" % at, key=None), DESTINATION))
                await eventually(lambda: letters.is_failing)
                await letters.park([a_letter(30, b"parked", not_before=1.0)], DESTINATION)
                await letters.bury(a_letter(31, b"keyed"), "another")
                await dead.set(cleanup_policy="delete")
            assert not letters.is_failing

    assert sorted(await dead.values(), key=str) == sorted(
        [b"keyed", *(b"%d" % at for at in range(20))], key=str
    )
    assert await parked.values() == [b"parked"]
    assert len(said) <= 4, "a line for each attempt"


async def parked_again(kafka: Kafka, count: int) -> Sequence[bytes | None]:
    loader = Loader(kafka, DESTINATION, kafka.topics.events)
    place = TopicPartition(kafka.topics.parked, 0)
    await loader.start()
    found: list[bytes | None] = []
    try:
        while len(found) < count:
            loaded, _ = await loader.read(place, len(found), 100)
            found += [record.value for record in loaded]
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
            Entry(record, Offsets(0), record.offset, Encoded(b"", "user")), "quota", "", 1.0, 2.0
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


async def test_records_that_make_odd_letters_stop_no_delivery(world: World) -> None:
    topics = world.config.kafka.topics
    dead = Topic(world.config.kafka, topics.dead_letters)
    await dead.set(max_message_bytes="1000000")
    broken = b"{" + os.urandom(2_000_000)
    async with AIOKafkaProducer(
        bootstrap_servers=world.config.kafka.bootstrap_servers,
        compression_type="gzip",
        max_request_size=30_000_000,
    ) as producer:
        await producer.send_and_wait(topics.events, b"{" + b" " * 24_000_000, b"user-1")
        await producer.send_and_wait(topics.events, broken, b"user-2")
        headers = [("h", os.urandom(3_000_000)), ("none", None)]
        await producer.send_and_wait(topics.events, b"{", b"user-3", headers=headers)
        empty = producer.create_batch()
        empty.append(timestamp=None, key=None, value=None, headers=[])
        empty.close()
        await (await producer.send_batch(empty, topics.events, partition=0))
    good = [event(user, number) for user in range(10) for number in range(5)]
    await world.produce(topics.events, good)
    async with world.delivering():
        await world.until_accepted("amplitude", len(good))
        await world.until_accepted("aampe", len(good))
        stored = await seen(lambda: records(dead), lambda found: len(found) >= 8)

    assert len(stored) == 8, "four for each destination"
    said = [dict(one.headers) | {"kept": len(one.value or b"")} for one in stored]
    assert [one["kept"] for one in said if "truncated" not in one].count(24_000_001) == 2
    cut = [one for one in said if one.get("truncated") == b"2000001"]
    assert len(cut) == 2
    assert all(one["origin"].startswith(topics.events.encode()) for one in said)
