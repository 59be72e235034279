"""What is wrong with a real Kafka is found, each with its fix."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from aiokafka.admin import NewPartitions

from ampgate.check.check import check
from ampgate.check.finding import Finding
from ampgate.topics import admin_client
from schemas.topics import Kind, Topics
from tests.conftest import Broker
from tests.eventually import seen
from tests.kafka.acls import GROUP, READ, TOPIC, allow
from tests.operating import AMPLITUDE, Operation, alter, event, operation, simulating


async def wrong(world: Operation) -> list[Finding]:
    found = [finding for finding in await check(world.config) if not finding.ok]
    assert found[0].subject == "sources"  # This world has none.
    return found[1:]


async def first_wrong(world: Operation) -> list[Finding]:
    """As `wrong`, once there is something: a broker hears of changes a moment later."""
    return await seen(partial(wrong, world), bool)


async def test_all_is_well_when_the_topics_were_created(simulated: Operation) -> None:
    await seen(partial(wrong, simulated), lambda found: found == [])


async def test_parked_records_need_as_many_partitions_as_events(simulated: Operation) -> None:
    kafka = simulated.config.kafka
    topics, server = kafka.topics, f"--bootstrap-server {kafka.bootstrap_servers}"
    async with admin_client(kafka) as admin:
        await admin.create_partitions({topics.events: NewPartitions(5)})

    found = await first_wrong(simulated)
    assert [(one.subject, one.fix.split(": ")[-1]) for one in found] == [
        (topic, f"kafka-topics {server} --alter --topic {topic} --partitions 5")
        for topic in (topics.user_properties, topics.group_properties, topics.parked)
    ]


@pytest.mark.parametrize(
    ("setting", "value", "fixed"),
    [
        ("retention.ms", "3600000", "604800000"),
        ("max.message.bytes", "1000000", "22020096"),
        ("cleanup.policy", "compact", "delete"),
        ("retention.bytes", "1000000", "-1"),
    ],
)
async def test_settings_that_lose_records_are_found(
    simulated: Operation, setting: str, value: str, fixed: str
) -> None:
    topic = simulated.config.kafka.topics.events
    kept = {"retention.ms": "604800000", "max.message.bytes": "22020096"}
    await alter(simulated, topic, **kept | {setting: value, "min.insync.replicas": "1"})

    (finding,) = await first_wrong(simulated)
    assert finding.subject == topic
    server = f"--bootstrap-server {simulated.config.kafka.bootstrap_servers}"
    assert finding.fix == (
        f"kafka-configs {server} --alter --topic {topic} --add-config {setting}={fixed}"
    )


async def test_writes_that_cannot_be_acknowledged_are_found(simulated: Operation) -> None:
    topic = simulated.config.kafka.topics.events
    kept = {"retention.ms": "604800000", "max.message.bytes": "22020096"}
    await alter(simulated, topic, **kept, **{"min.insync.replicas": "2"})

    (finding,) = await first_wrong(simulated)
    assert finding.says == "a partition has 1 replicas in sync of the 2 that a write needs"


async def warned(world: Operation, subject: str) -> list[Finding]:
    return [one for one in await check(world.config) if one.subject == subject and one.advice]


async def test_offsets_that_expire_before_the_records_are_found(simulated: Operation) -> None:
    topic, month = simulated.config.kafka.topics.events, str(30 * 86_400_000)
    assert await warned(simulated, "offsets") == []
    await alter(simulated, topic, **{"retention.ms": month, "max.message.bytes": "22020096"})

    (finding,) = await seen(partial(warned, simulated, "offsets"), bool)
    assert finding.says.startswith("offsets.retention.minutes is 10080")
    assert "offsets.retention.minutes=43200" in finding.advice


async def test_what_a_removed_destination_left_behind_is_named(simulated: Operation) -> None:
    topics = simulated.config.kafka.topics
    (place,) = await simulated.produce(topics.events, [event("ann")])
    await simulated.commit(topics.group_id("gone", Kind.EVENT), place)
    headers = {"destination": "older", "origin": place}
    await simulated.produce(topics.parked, [replace(event("ann"), headers=headers)])

    assert await warned(simulated, AMPLITUDE) == []
    (gone,), (older,) = [await warned(simulated, name) for name in ("gone", "older")]
    assert (gone.ok, older.ok) == (True, True)
    assert gone.says == "is not configured, and has 1 unread and 0 parked records"
    assert older.says == "is not configured, and has 0 unread and 1 parked records"
    assert gone.advice == "ampgate destinations rename gone NEW, or forget it"


async def test_a_missing_topic_is_not_created_by_looking(simulated: Operation) -> None:
    topic = simulated.config.kafka.topics.parked
    async with admin_client(simulated.config.kafka) as admin:
        await admin.delete_topics([topic])
        await seen(admin.list_topics, lambda names: topic not in names)
    for _ in range(2):
        (finding,) = await first_wrong(simulated)
        assert (finding.subject, finding.says) == (topic, "does not exist")


async def test_what_is_missing_gets_as_many_partitions_as_its_siblings(
    simulated: Operation, tmp_path: Path
) -> None:
    async with admin_client(simulated.config.kafka) as admin:
        await admin.delete_topics([simulated.config.kafka.topics.parked])
    await first_wrong(simulated)  # The broker that answers has heard of it.

    assert (await simulated.run(tmp_path, "topics", "create")).exit_code == 0
    await seen(partial(wrong, simulated), lambda found: found == [])


async def test_the_command_fails_while_anything_is_wrong(
    simulated: Operation, tmp_path: Path
) -> None:
    ran = await simulated.run(tmp_path, "check", "--json")
    assert ran.exit_code == 1
    assert '"subject":"sources","says":"0 configured"' in ran.stdout


async def test_permissions_that_lack_are_named(guarded_kafka: Broker) -> None:
    async with simulating("amplitude") as amplitude, simulating("aampe") as aampe:
        world = await operation(guarded_kafka, "ampgate.", amplitude, aampe)
        topics = Topics("ampgate.")
        await seen(partial(wrong, world), lambda found: found == [])
        await allow(
            guarded_kafka,
            (TOPIC, topics.events, "User:ANONYMOUS", READ),
            (TOPIC, topics.dead_letters, "User:somebody-else", READ),
            (GROUP, "ampgate.aampe-us.events", "User:somebody-else", READ),
        )

        found = await seen(partial(wrong, world), lambda findings: len(findings) >= 4)
        server = f"kafka-acls --bootstrap-server {guarded_kafka.bootstrap_servers} --add "
        assert all(finding.fix.startswith(server) for finding in found)
        assert {(finding.subject, finding.says) for finding in found} == {
            (topics.events, "these credentials lack the permission Write"),
            (topics.events, "its settings may not be read with these credentials"),
            (topics.dead_letters, "may not be seen with these credentials"),
            ("ampgate.aampe-us.events", "these credentials may not join this group"),
        }
