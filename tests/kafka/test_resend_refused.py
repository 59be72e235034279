"""A record that its topic does not take ends no replay: it takes another form, or is told."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from ampgate.archive.archive import archive
from ampgate.archive.batches import Wanted
from ampgate.topics import admin_client
from consumers.kafka.loader import Loader
from schemas.configuration.config import Kafka
from schemas.records import TopicPartition
from schemas.topics import Kind
from tests.kafka.letters import die, letter
from tests.kafka.writing import Topic, records
from tests.operating import AMPLITUDE, Message, Operation, event

SMALL = 20_000
ALL_TIMES = ("--from", "2020-01-01", "--to", "2100-01-01")


async def small(world: Operation, topic: str, **others: str) -> Topic:
    limited = Topic(world.config.kafka, topic)
    await limited.set(max_message_bytes=str(SMALL), **others)
    return limited


async def loaded(kafka: Kafka, place: TopicPartition, count: int) -> Sequence[bytes | None]:
    """So many records of this partition of the parked, as the delivery reads them."""
    loader = Loader(kafka, AMPLITUDE, kafka.topics.events)
    await loader.start()
    found: list[bytes | None] = []
    try:
        while len(found) < count:
            read, _ = await loader.read(place, len(found), 100)
            found += [record.value for record in read]
    finally:
        await loader.stop()
    return found


async def test_a_record_too_large_to_be_parked_is_replayed_as_a_reference(
    here: Operation, tmp_path: Path
) -> None:
    kafka = here.config.kafka
    values = [event("ann", n=n, filler="x" * size) for n, size in enumerate((9, 300_000, 9))]
    values[1] = replace(values[1], key=None, partition=None)
    places = await here.produce(kafka.topics.events, [replace(one, partition=0) for one in values])
    async with archive(kafka) as stored:
        for end in await stored.spans(kafka.topics.events):
            place = f"{end.topic}/{end.partition}/{end.end}"
            await here.commit(kafka.topics.group_id(AMPLITUDE, Kind.EVENT), place)
    parked = await small(here, kafka.topics.parked, compression_type="uncompressed")

    ran = await here.run(tmp_path, "replay", "--destination", AMPLITUDE, *ALL_TIMES, "--yes")
    assert ran.exit_code == 0, ran.output
    written = await records(parked)
    assert [dict(one.headers)["origin"].decode() for one in written] == places
    assert [one.key for one in written] == [b"ann"] * 3
    assert [dict(one.headers).get("truncated") for one in written].count(None) == 2
    found = await loaded(kafka, TopicPartition(parked.name, 0), 3)
    assert found == [one.value for one in values]


async def test_what_a_topic_takes_in_no_form_is_told_and_the_others_are_sent(
    here: Operation, tmp_path: Path
) -> None:
    topics = here.config.kafka.topics
    refused = {"destination": "edge", "reason": "x"}
    large = Message(event("ann", filler="x" * 300_000).value, b"ann", refused)
    others = [Message(event(user).value, b"ann", refused) for user in ("bob", "eve")]
    await die(here, large, *others)
    events = await small(here, topics.events, compression_type="uncompressed")

    ran = await here.run(tmp_path, "dead-letters", "replay", "--yes")
    assert ran.exit_code == 1
    assert "not sent again" in ran.output
    assert "2 records written" in ran.output
    assert len(await records(events)) == 2
    ran = await here.run(tmp_path, "dead-letters", "replay", "--yes", "--json")
    assert json.loads(ran.stdout)["to_send"] == {"edge": 1}


async def test_a_record_that_kafka_refuses_alone_is_left_out(
    here: Operation, tmp_path: Path
) -> None:
    parked = Topic(here.config.kafka, here.config.kafka.topics.parked)
    keyed = [letter(f"t/0/{at}") for at in range(40)]
    await die(here, *keyed[:20], replace(letter("t/0/99"), key=None), *keyed[20:])
    await parked.set(cleanup_policy="compact")  # It takes no record without a key.

    ran = await here.run(tmp_path, "dead-letters", "replay", "--yes")
    assert ran.exit_code == 1
    assert "t/0/99: not sent again" in ran.output
    stored = {dict(one.headers)["origin"].decode() for one in await records(parked)}
    assert stored == {f"t/0/{at}" for at in range(40)}


async def test_a_topic_that_takes_nothing_ends_the_replay_with_its_reason(
    here: Operation, tmp_path: Path
) -> None:
    parked = Topic(here.config.kafka, here.config.kafka.topics.parked)
    await die(here, *(replace(letter(f"t/0/{at}"), key=None) for at in range(60)))
    await parked.set(cleanup_policy="compact")

    ran = await here.run(tmp_path, "dead-letters", "replay", "--yes")
    assert ran.exit_code == 1
    assert ran.output.count("not sent again") < 60
    assert await records(parked) == []


@pytest.mark.parametrize("partition", [7, 2**31 - 1])
async def test_a_letter_of_a_partition_that_is_gone_is_sent_by_its_key(
    here: Operation, partition: int, tmp_path: Path
) -> None:
    parked = Topic(here.config.kafka, here.config.kafka.topics.parked)
    await die(here, letter(f"{here.config.kafka.topics.events}/{partition}/5"))

    ran = await here.run(tmp_path, "dead-letters", "replay", "--yes")
    assert ran.exit_code == 0, ran.output
    assert [one.key for one in await records(parked)] == [b"ann"]


async def test_what_retention_deletes_while_it_is_read_ends_no_search(here: Operation) -> None:
    topic = here.config.kafka.topics.events
    await here.produce(topic, [replace(event("ann", n=n), partition=0) for n in range(10)])
    async with archive(here.config.kafka) as kafka:
        spans = await kafka.spans(topic)
        async with admin_client(here.config.kafka) as admin:
            await admin.delete_records({KafkaPartition(topic, 0): RecordsToDelete(4)})
        found = await kafka.find(spans, Wanted())
    assert [record.offset for record in found] == list(range(4, 10))
