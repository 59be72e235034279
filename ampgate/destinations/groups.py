"""The consumer groups of destinations, configured or not: who is in them, and taking them away."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NoError, for_code
from aiokafka.protocol.admin import DeleteGroupsRequest
from aiokafka.structs import OffsetAndMetadata

from ampgate.check.authorized_metadata import AuthorizedGroupsRequest
from ampgate.cli.configuration import client_arguments
from ampgate.destinations.offset_deletion import OffsetDeleteRequest
from ampgate.topics import admin_client, patiently
from schemas.configuration.config import Kafka
from schemas.configuration.values import NAME
from schemas.topics import Kind, Topics

NOT_FOUND = 69  # Kafka's GROUP_ID_NOT_FOUND: it is gone already.


@dataclass(frozen=True, slots=True)
class Group:
    """The group of one destination for one topic."""

    id: str
    destination: str
    kind: Kind


def group_of(topics: Topics, destination: str, kind: Kind) -> Group:
    return Group(topics.group_id(destination, kind), destination, kind)


def group_named(topics: Topics, group_id: str) -> Group | None:
    """What a group's name says, if it is one of ours."""
    for kind in Kind:
        empty = topics.group_id("", kind)
        suffix = empty.removeprefix(topics.prefix)
        if group_id.startswith(topics.prefix) and group_id.endswith(suffix):
            destination = group_id[len(topics.prefix) : -len(suffix)]
            if re.fullmatch(NAME, destination):
                return Group(group_id, destination, kind)
    return None


class Groups:
    """Kafka's groups, one by one."""

    def __init__(self, kafka: Kafka, admin: AIOKafkaAdminClient, client: AIOKafkaClient) -> None:
        self._kafka = kafka
        self._admin = admin
        self._client = client

    async def all(self) -> list[Group]:
        """Those that belong, or belonged, to a destination."""
        listed = await patiently(self._admin.list_consumer_groups)
        return list(_ours(self._kafka.topics, (str(name) for name, _ in listed)))

    async def members(self, group: Group) -> int:
        return await members_of(self._admin, self._client, group.id)

    async def commit(
        self, group: Group, offsets: Mapping[TopicPartition, OffsetAndMetadata]
    ) -> None:
        """Commit offsets for the group, which must have no members."""
        consumer = AIOKafkaConsumer(
            **client_arguments(self._kafka), group_id=group.id, enable_auto_commit=False
        )
        consumer.assign(list(offsets))
        async with consumer:
            await consumer.commit(dict(offsets))

    async def drop(self, group: Group) -> None:
        """Delete the group; it is no error if it does not exist."""
        await patiently(partial(self._drop, group))

    async def _drop(self, group: Group) -> None:
        node = await self._admin.find_coordinator(group.id)
        answer = await self._client.send(node, DeleteGroupsRequest([group.id]))
        for name, code in answer.results:
            if for_code(code) is not NoError and code != NOT_FOUND:
                raise for_code(code)(name)

    async def forget_topic(self, group: Group, topic: str, partitions: list[int]) -> None:
        """Delete its offsets of a topic; those of other topics stay."""
        await patiently(partial(self._forget_topic, group, topic, partitions))

    async def _forget_topic(self, group: Group, topic: str, partitions: list[int]) -> None:
        node = await self._admin.find_coordinator(group.id)
        request = OffsetDeleteRequest(group.id, {topic: partitions})
        answer = await self._client.send(node, request)
        codes = [answer.error_code, *(code for _, found in answer.topics for _, code in found)]
        for code in codes:
            if for_code(code) is not NoError and code != NOT_FOUND:
                raise for_code(code)(group.id)


def _ours(topics: Topics, names: Iterator[str]) -> Iterator[Group]:
    for name in names:
        if group := group_named(topics, name):
            yield group


async def members_of(admin: AIOKafkaAdminClient, client: AIOKafkaClient, group_id: str) -> int:
    """How many consumers are in a group; 0 also if there is no such group."""

    async def ask() -> int:
        node = await admin.find_coordinator(group_id)
        answer = await client.send(node, AuthorizedGroupsRequest([group_id]))
        code, _, _, _, _, members, _ = answer.groups[0]
        if for_code(code) is not NoError and code != NOT_FOUND:
            raise for_code(code)(group_id)
        return len(members)

    return await patiently(ask)


@asynccontextmanager
async def groups_of(kafka: Kafka) -> AsyncIterator[Groups]:
    """Every failure of Kafka's comes out as `CommandError`."""
    async with admin_client(kafka) as admin:
        client = AIOKafkaClient(**client_arguments(kafka))
        try:
            await client.bootstrap()
            yield Groups(kafka, admin, client)
        finally:
            await client.close()
