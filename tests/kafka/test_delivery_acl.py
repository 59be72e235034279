"""A topic may not be read for a while: nothing ends, and all goes on."""

from pathlib import Path

from ampgate.lab.kafka.kafka import EmbeddedKafka
from tests.conftest import Broker
from tests.eventually import eventually
from tests.kafka.acls import READ, WITH_ACLS, denied
from tests.kafka.delivery_world import event, opened_world
from tests.kafka.kafka_operations import with_amplitude


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
