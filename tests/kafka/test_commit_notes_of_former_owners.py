"""A new owner of a partition believes of its former owner only what can be true.

A record wrongly taken for settled would never be sent; sending twice is less bad.
"""

from aiokafka.admin import NewTopic

from ampgate.topics import admin_client
from consumers.delivery.offsets import Unfinished
from consumers.kafka.commit_notes import CommitNote, encoded
from schemas.topics import Kind
from tests.eventually import seen
from tests.kafka.delivery_world import Clock, World, event
from tests.operating import AMPLITUDE, Operation

PARTITIONS = 3


async def told(world: World, note: str) -> None:
    """As if the former owner of all partitions had committed the offset 0 with this note."""
    topics = world.config.kafka.topics
    for partition in range(PARTITIONS):
        place = f"{topics.events}/{partition}/0"
        await Operation(world.config).commit(topics.group_id(AMPLITUDE, Kind.EVENT), place, note)


async def numbers(world: World) -> set[int]:
    """Of the events that Amplitude has."""
    return {one["event_properties"]["n"] for one in await world.received("amplitude")}


async def made_again(world: World, topic: str) -> None:
    async with admin_client(world.config.kafka) as client:
        await client.delete_topics([topic])
        await seen(client.list_topics, lambda topics: topic not in topics)
        await client.create_topics([NewTopic(topic, PARTITIONS, 1)])


async def test_a_note_of_records_that_kafka_has_lost_settles_none_of_the_new_ones(
    world: World,
) -> None:
    """After an unclean election, or from a backup, the log is shorter than the note knows."""
    await told(world, encoded(CommitNote(Unfinished(1000, [(0, 0)]), None, {}), 0))
    await world.produce(world.config.kafka.topics.events, [event(n, n) for n in range(30)])

    async with world.delivering():
        await world.until_accepted("amplitude", 30)
    assert await numbers(world) == set(range(30))


async def test_a_note_that_was_copied_beside_another_offset_settles_nothing(world: World) -> None:
    """As by MirrorMaker, which translates the offsets of a group and keeps what is beside them."""
    await told(world, encoded(CommitNote(Unfinished(5, [(4, 4)]), None, {}), 3))
    await world.produce(world.config.kafka.topics.events, [event(n, n) for n in range(30)])

    async with world.delivering():
        await world.until_accepted("amplitude", 30)
    assert await numbers(world) == set(range(30))


async def test_what_is_parked_of_a_former_topic_stands_for_none_of_the_new_records(
    world: World,
) -> None:
    topics = world.config.kafka.topics
    quota = {"kind": "daily_quota", "ids": ["user-0"], "seconds": 1.0}
    await world.set_faults("amplitude", {"effect": quota})
    clock = Clock()
    async with world.delivering(clock):
        await world.produce(topics.events, [event(0, n) for n in range(10)])
        await world.letters(topics.parked, 10)
        await world.until_accepted("aampe", 10)
    await made_again(world, topics.events)
    await world.produce(topics.events, [event(n, n) for n in range(1, 61)])

    async with world.delivering(clock):
        await world.until_accepted("amplitude", 60)
    assert await numbers(world) >= set(range(1, 61))
