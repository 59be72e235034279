"""Letters that cannot be written as they are, or not now, on a real broker."""

import asyncio
import os

import pytest
from aiokafka import AIOKafkaProducer
from structlog.testing import capture_logs

from schemas.configuration.config import Kafka
from schemas.letters import LetterHeaders, Origin
from schemas.records import Headers, TopicPartition
from tests.eventually import eventually, seen
from tests.kafka.delivery_world import World, event
from tests.kafka.letter_writing import DESTINATION, SMALL, a_letter, opened, topics
from tests.kafka.writing import Topic, records


async def test_a_letter_with_neither_key_nor_value_is_stored(configured: Kafka) -> None:
    dead, _ = await topics(configured)
    async with opened(configured) as letters:
        await letters.dead_letter(a_letter(7, None, key=None), DESTINATION)

    [stored] = await records(dead)
    assert (stored.key, stored.value) == (None, None)
    said = LetterHeaders.decoded(stored.headers)
    assert said.origin == Origin(TopicPartition("t.events", 0), 7)


async def test_a_header_that_cannot_be_written_keeps_no_letter_out(configured: Kafka) -> None:
    dead, _ = await topics(configured)
    odd: Headers = [("\udcff", b"x"), ("none", None), ("", b""), ("source", b"shop")]
    async with opened(configured) as letters:
        await letters.dead_letter(a_letter(7, b"{", headers=odd), DESTINATION)

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
                letters.dead_letter(a_letter(at, os.urandom(size), b"%d" % at), DESTINATION)
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
        await letters.dead_letter(a_letter(1, os.urandom(24_000_000)), DESTINATION)
        await letters.dead_letter(a_letter(2, b"x" * 24_000_000), DESTINATION)
        await letters.dead_letter(
            a_letter(3, b"{", headers=[("h", os.urandom(23_000_000))]), DESTINATION
        )

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
            *(letters.dead_letter(a_letter(at, value, b"%d" % at), DESTINATION) for at in range(12))
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
                    tasks.create_task(
                        letters.dead_letter(a_letter(at, b"%d" % at, key=None), DESTINATION)
                    )
                await eventually(lambda: letters.is_failing)
                await letters.park([a_letter(30, b"parked", not_before=1.0)], DESTINATION)
                await letters.dead_letter(a_letter(31, b"keyed"), "another")
                await dead.set(cleanup_policy="delete")
            assert not letters.is_failing

    assert sorted(await dead.values(), key=str) == sorted(
        [b"keyed", *(b"%d" % at for at in range(20))], key=str
    )
    assert await parked.values() == [b"parked"]
    assert len(said) <= 4, "a line for each attempt"


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


async def test_a_topic_that_takes_not_even_the_shortest_letter_is_told(configured: Kafka) -> None:
    for topic in await topics(configured, max_message_bytes="100"):
        letter = a_letter(7, b"{", not_before=1.0)
        async with opened(configured) as letters:
            is_dead = topic.name == configured.topics.dead_letters
            writing = asyncio.create_task(
                letters.dead_letter(letter, DESTINATION)
                if is_dead
                else letters.park([letter], DESTINATION)
            )
            with capture_logs() as logged:
                await eventually(lambda: letters.is_failing)
            letter.entry.offsets.is_ours = False  # So that it is another's to write.
            await writing
        [said] = [one for one in logged if one["event"] == "Kafka takes no writes"]
        assert said["topic"] == topic.name
        assert "does not take a record of" in said["error"]
