"""Permissions in Kafka, as an administrator gives them; aiokafka has no requests for that."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

from tests.conftest import Broker
from tests.eventually import seen

READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS = 3, 4, 8, 10
TOPIC, GROUP, CLUSTER = 2, 3, 4
DENY, ALLOW = 2, 3
LITERAL, PREFIXED = 3, 4
WITH_ACLS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


class Acl(NamedTuple):
    """Who may do what with which resource."""

    resource_type: int
    resource: str
    pattern: int
    principal: str
    operation: int


@asynccontextmanager
async def denied(broker: Broker, topic: str, operation: int) -> AsyncIterator[None]:
    """Nobody may do this to the topic, until the end of the block."""
    acl = (TOPIC, topic, LITERAL, "User:ANONYMOUS", "*", operation, DENY)
    client = AIOKafkaClient(bootstrap_servers=broker.bootstrap_servers)
    await client.bootstrap()
    try:
        created = await client.send(client.get_random_node(), CreateAclsRequest(*acl))
        assert created.creation_responses[0][0] == 0
        yield
        deleted = await client.send(client.get_random_node(), DeleteAclsRequest(*acl))
        assert deleted.filter_responses[0][0] == 0
    finally:
        await client.close()


async def until_denied(broker: Broker, topic: str) -> None:
    """Return once Kafka lets nobody read the topic, and so, as it has an ACL, not even see it."""
    client = AIOKafkaClient(bootstrap_servers=broker.bootstrap_servers)
    await client.bootstrap()
    client.set_topics([topic])

    async def hidden() -> set[str]:
        await client.force_metadata_update()
        found: set[str] = client.cluster.unauthorized_topics
        return found

    try:
        await seen(hidden, lambda found: topic in found)
    finally:
        await client.close()


async def allow(broker: Broker, *acls: tuple[int, str, str, int]) -> None:
    """Of each: the kind of resource, its name, who may, and what. From then on nobody else may."""
    await allow_all(broker, [Acl(kind, name, LITERAL, who, what) for kind, name, who, what in acls])


async def allow_all(broker: Broker, acls: Sequence[Acl]) -> None:
    client = AIOKafkaClient(bootstrap_servers=broker.bootstrap_servers)
    await client.bootstrap()
    answer = await client.send(client.get_random_node(), CreateAcls(acls))
    await client.close()
    assert {code for code, _ in answer.results} == {0}


class CreateAclsResponse_v1(Response):  # type: ignore[misc]  # noqa: N801  aiokafka's way.
    API_KEY = 30
    API_VERSION = 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("results", Array(("error_code", Int16), ("error_message", String("utf-8")))),
    )


class CreateAclsRequest_v1(RequestStruct):  # type: ignore[misc]  # noqa: N801  As above.
    API_KEY = 30
    API_VERSION = 1
    RESPONSE_TYPE = CreateAclsResponse_v1
    SCHEMA = Schema(
        (
            "creations",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                ("pattern_type", Int8),
                ("principal", String("utf-8")),
                ("host", String("utf-8")),
                ("operation", Int8),
                ("permission_type", Int8),
            ),
        )
    )


class CreateAcls(Request[CreateAclsRequest_v1]):  # type: ignore[misc]  # As above.
    API_KEY = 30

    def __init__(self, acls: Sequence[Acl]) -> None:
        self._acls = acls

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> Any:  # noqa: ANN401  As above.
        return request_struct_class(
            [
                (
                    one.resource_type,
                    one.resource,
                    one.pattern,
                    one.principal,
                    "*",
                    one.operation,
                    ALLOW,
                )
                for one in self._acls
            ]
        )
