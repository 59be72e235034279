"""A topic may not be read for a while: nothing ends, and all goes on."""

import time
from contextlib import AsyncExitStack
from pathlib import Path

from aiokafka.errors import TopicAuthorizationFailedError
from structlog.testing import capture_logs

from ampgate.lab.kafka.kafka import EmbeddedKafka
from schemas.kafka.partitioner import positive_hash
from schemas.letters import timestamp
from tests.conftest import Broker
from tests.eventually import eventually, seen
from tests.kafka.acls import DESCRIBE, READ, TOPIC, WITH_ACLS, WRITE, allow, denied, until_denied
from tests.kafka.delivery_world import event, opened_world
from tests.kafka.everything import letter
from tests.kafka.kafka_operations import produce_raw, with_amplitude
from tests.operating import AMPLITUDE, Operation

EVERYBODY = "User:*"
USER, PARTITIONS = b"user-2", 3
WAITS = "committed offsets cannot be read, retrying"
HIDDEN = "parked topic may not be seen, nothing is read until it may"


async def test_a_topic_that_may_not_be_read_for_a_while_is_read_again_afterwards(
    tmp_path: Path,
) -> None:
    with EmbeddedKafka(tmp_path / "kafka", heap_megabytes=256, settings=WITH_ACLS) as kafka:
        broker = Broker(kafka.bootstrap_servers)
        async with opened_world(broker, "acl.") as opened:
            world = with_amplitude(opened)
            topic = world.config.kafka.topics.events
            async with world.delivering() as workers:
                await world.produce(topic, [event(1, 1)])
                await world.until_accepted("amplitude", 1)
                async with denied(broker, topic, READ):
                    await eventually(lambda: not all(worker.is_reached for worker in workers))
                await eventually(lambda: all(worker.is_reached for worker in workers))
                await world.produce(topic, [event(2, 2)])
                await world.until_accepted("amplitude", 2)
            found = [one["event_properties"]["n"] for one in await world.received("amplitude")]
    assert sorted(found) == [1, 2]


async def test_a_new_destination_that_may_not_read_yet_begins_where_its_start_says(
    guarded_kafka: Broker, topic_prefix: str
) -> None:
    """The right to read the parked topic is there already: Kafka takes the offsets of that one."""
    async with opened_world(guarded_kafka, topic_prefix) as opened:
        world = with_amplitude(opened, start="latest")
        topic = world.config.kafka.topics.events

        async def may_commit() -> bool:
            try:
                await Operation(world.config).commit("others", f"{topic}/0/0")
            except TopicAuthorizationFailedError:
                return False
            return True

        await world.produce(topic, [event(user, 1) for user in range(6)])
        await allow(guarded_kafka, (TOPIC, topic, EVERYBODY, WRITE))
        await seen(may_commit, lambda may: not may)
        with capture_logs() as logged:
            async with world.delivering() as workers:
                await eventually(lambda: any(one["event"] == WAITS for one in logged))
                await allow(guarded_kafka, (TOPIC, topic, EVERYBODY, READ))
                await eventually(lambda: all(worker.is_reached for worker in workers))
                await world.produce(topic, [event(user, 2) for user in range(6)])
                await world.until_accepted("amplitude", 6)
        found = [one["event_properties"]["n"] for one in await world.received("amplitude")]
    assert found == [2] * 6


async def test_while_parked_records_may_not_be_seen_nothing_overtakes_them(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path / "kafka", heap_megabytes=256, settings=WITH_ACLS) as kafka:
        broker = Broker(kafka.bootstrap_servers)
        async with opened_world(broker, "acl.") as opened:
            world = with_amplitude(opened)
            topics = world.config.kafka.topics
            place = positive_hash(USER) % PARTITIONS
            said = {
                "origin": f"{topics.events}/{place}/98",
                "not_before": timestamp(time.time() + 9),
            }
            parked = letter(AMPLITUDE, key=USER.decode(), value=event(2, 1)[1], **said)
            await produce_raw(world, topics.parked, [parked], partition=place)
            async with world.delivering() as workers:
                await eventually(lambda: all(worker.is_reached for worker in workers))
                async with denied(broker, topics.parked, DESCRIBE):
                    with capture_logs() as logged:
                        await eventually(lambda: any(one["event"] == WAITS for one in logged))
                        assert not all(worker.is_reached for worker in workers)
                        await world.produce(topics.events, [event(2, 2)])
                await world.until_accepted("amplitude", 2)
            found = [one["event_properties"]["n"] for one in await world.received("amplitude")]
            assert found == [1, 2]
            assert sum(one["event"] == WAITS for one in logged) <= len(workers)

            # A delivery that starts meanwhile waits, too.
            said["origin"] = f"{topics.events}/{place}/99"
            parked = letter(AMPLITUDE, key=USER.decode(), value=event(2, 3)[1], **said)
            await produce_raw(world, topics.parked, [parked], partition=place)
            await world.produce(topics.events, [event(2, 4)])
            async with AsyncExitStack() as stack:
                async with denied(broker, topics.parked, DESCRIBE):
                    await until_denied(broker, topics.parked)
                    with capture_logs() as logged:
                        workers = await stack.enter_async_context(world.delivering())
                        await eventually(lambda: [one["event"] for one in logged].count(HIDDEN) > 2)
                    assert not any(worker.is_reached for worker in workers)
                await world.until_accepted("amplitude", 4)
            found = [one["event_properties"]["n"] for one in await world.received("amplitude")]
            assert found == [1, 2, 3, 4]
