"""The right to write to a topic is taken away and given back, while edge and delivery run."""

import asyncio

from ampgate.archive.archive import archive
from ampgate.resend.turn import turn
from ampgate.topics import create
from consumers.kafka.letters import Letters
from gateway.edge.log import EdgeLog
from schemas.configuration.config import Kafka
from schemas.kafka.batches import NotStored
from schemas.records import NewRecord
from tests.conftest import Broker
from tests.eventually import eventually, seen
from tests.kafka.acls import DESCRIBE, GROUP, READ, TOPIC, WRITE, allow
from tests.kafka.letter_writing import DESTINATION, a_letter
from tests.kafka.writing import Topic

EVERYBODY = "User:*"


async def test_the_edge_is_not_ready_while_it_may_not_write_events_and_goes_on_afterwards(
    guarded_kafka: Broker,
) -> None:
    kafka = Kafka(bootstrap_servers=guarded_kafka.bootstrap_servers)
    await create(kafka, partitions=1)
    topics = kafka.topics
    log = EdgeLog(kafka, 60.0)
    await log.start()

    async def is_stored(topic: str) -> bool:
        try:
            await log.append(topic, [NewRecord(b"user", b"{}")])
        except NotStored:
            return False
        return True

    try:
        assert await is_stored(topics.events)
        await allow(guarded_kafka, (TOPIC, topics.events, EVERYBODY, READ))
        await seen(lambda: is_stored(topics.events), lambda stored: not stored)
        for _ in range(3):
            assert not await is_stored(topics.events)
            assert await is_stored(topics.user_properties)
        await seen(log.probe, lambda is_ready: not is_ready)

        await allow(guarded_kafka, (TOPIC, topics.events, EVERYBODY, WRITE))
        await seen(lambda: is_stored(topics.events), bool)
        await seen(log.probe, bool)
    finally:
        await log.stop()


async def test_a_replay_that_may_not_take_turns_goes_on_and_says_so(guarded_kafka: Broker) -> None:
    kafka = Kafka(bootstrap_servers=guarded_kafka.bootstrap_servers)
    await create(kafka, partitions=1)
    group_id = f"{kafka.topics.prefix}replay"
    await allow(guarded_kafka, (GROUP, group_id, EVERYBODY, DESCRIBE))
    said: list[str] = []
    async with archive(kafka) as stored, turn(kafka, stored, said.append):
        assert [f"may not join the group {group_id}" in words for words in said] == [True]


async def test_letters_wait_while_they_may_not_be_written_and_are_written_once(
    guarded_kafka: Broker,
) -> None:
    kafka = Kafka(bootstrap_servers=guarded_kafka.bootstrap_servers)
    await create(kafka, partitions=2)
    dead = Topic(kafka, kafka.topics.dead_letters)
    letters = Letters(kafka)
    await letters.start()
    try:
        await letters.dead_letter(a_letter(0, b"0"), DESTINATION)
        await allow(guarded_kafka, (TOPIC, dead.name, EVERYBODY, READ))
        async with asyncio.TaskGroup() as tasks:
            for at in range(1, 30):
                letter = a_letter(at, b"%d" % at, b"user-%d" % at)
                tasks.create_task(letters.dead_letter(letter, DESTINATION))
            await eventually(lambda: letters.is_failing)
            await letters.park([a_letter(99, b"parked", not_before=1.0)], DESTINATION)
            await allow(guarded_kafka, (TOPIC, dead.name, EVERYBODY, WRITE))
    finally:
        await letters.stop()
    assert sorted(int(value or b"") for value in await dead.values()) == [*range(30)]


async def test_what_a_topic_takes_is_learned_where_its_settings_may_not_be_read(
    guarded_kafka: Broker,
) -> None:
    kafka = Kafka(bootstrap_servers=guarded_kafka.bootstrap_servers)
    dead = Topic(kafka, kafka.topics.dead_letters)
    await create(kafka, partitions=1)
    await dead.set(max_message_bytes="20000")
    rights = [(TOPIC, dead.name, EVERYBODY, right) for right in (READ, WRITE)]
    await allow(guarded_kafka, *rights)
    letters = Letters(kafka)
    await letters.start()
    try:
        await letters.dead_letter(a_letter(0, bytes(range(256)) * 400), DESTINATION)
        is_told = letters._log.sizes.of(dead.name).is_told
    finally:
        await letters.stop()
    assert not is_told
    [value] = await dead.values()
    assert value
