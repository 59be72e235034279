"""A topic may not be read for a while: nothing ends, and all goes on."""

from pathlib import Path

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest

from ampgate.lab.kafka.kafka import EmbeddedKafka
from tests.conftest import Broker
from tests.eventually import eventually
from tests.kafka.delivery_world import event, opened_world
from tests.kafka.kafka_operations import with_amplitude

WITH_ACLS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
# kafka.apache.org/protocol: their numbers. Where one ACL denies, no other allows.
TOPIC_RESOURCE, LITERAL, READ, DENY = 2, 3, 3, 2


@pytest.mark.timeout(300)
async def test_a_topic_that_may_not_be_read_for_a_while_is_read_again_afterwards(
    tmp_path: Path,
) -> None:
    with EmbeddedKafka(tmp_path / "kafka", heap_megabytes=256, settings=WITH_ACLS) as kafka:
        async with opened_world(Broker(kafka.bootstrap_servers), "acl.") as opened:
            world = with_amplitude(opened)
            topic = world.config.kafka.topics.events
            denied = (TOPIC_RESOURCE, topic, LITERAL, "User:ANONYMOUS", "*", READ, DENY)
            async with world.delivering() as workers:
                await world.produce(topic, [event(1, 1)])
                await world.until_accepted("amplitude", 1)
                await ask(kafka, CreateAclsRequest(*denied))
                await eventually(lambda: not all(worker.is_reached for worker in workers))
                await ask(kafka, DeleteAclsRequest(*denied))
                await eventually(lambda: all(worker.is_reached for worker in workers))
                await world.produce(topic, [event(2, 2)])
                await world.until_accepted("amplitude", 2)
            found = [one["event_properties"]["n"] for one in await world.received("amplitude")]
    assert sorted(found) == [1, 2]


async def ask(kafka: EmbeddedKafka, request: CreateAclsRequest | DeleteAclsRequest) -> None:
    client = AIOKafkaClient(bootstrap_servers=kafka.bootstrap_servers)
    await client.bootstrap()
    try:
        answer = await client.send(client.get_random_node(), request)
    finally:
        await client.close()
    (error, *_) = (
        answer.creation_responses
        if isinstance(request, CreateAclsRequest)
        else answer.filter_responses
    )[0]
    assert error == 0
