"""`ampgate check` of Kafka: the topics, and our permissions on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    NoError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from ampgate.check.authorized_metadata import AuthorizedGroupsRequest, AuthorizedMetadataRequest
from ampgate.check.finding import Finding
from ampgate.topic_plan import TopicPlan
from ampgate.topics import patiently
from schemas.configuration.config import Kafka
from schemas.topics import Kind, Topics

AT_LEAST = ("max.message.bytes", "min.insync.replicas", "retention.ms")
FOR_EVER = -1  # Kafka's value for unlimited retention.

# Kafka's AclOperation, as a bit of `authorized_operations` each (KIP-430).
READ, WRITE = 3, 4
OPERATION_NAMES = {READ: "Read", WRITE: "Write"}


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as Kafka describes it."""

    partitions: int
    replication: int
    in_sync: int
    operations: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Missing:
    """A topic that Kafka does not show, and whether a permission is missing."""

    is_forbidden: bool


@dataclass(frozen=True, slots=True)
class Tools:
    """Command lines of Kafka's own tools, for this cluster."""

    kafka: Kafka

    def line(self, tool: str, arguments: str) -> str:
        where = f"--bootstrap-server {self.kafka.bootstrap_servers}"
        if self.kafka.security_protocol != "PLAINTEXT":
            where += " --command-config FILE"  # With the login, in Kafka's own words.
        return f"{tool} {where} {arguments}"

    def alter(self, topic: str, name: str, value: str) -> str:
        arguments = f"--alter --topic {topic} --add-config {name}={value}"
        return self.line("kafka-configs", arguments)

    def allow(self, resource: str, operation: str) -> str:
        user = self.kafka.sasl_plain_username or "…"  # A certificate's name is the broker's to say.
        arguments = f"--add {resource} --operation {operation} --allow-principal User:{user}"
        return self.line("kafka-acls", arguments)


def may_write(state: TopicState | Missing | None) -> bool:
    return isinstance(state, TopicState) and bool(state.operations >> WRITE & 1)


def check_topic(
    topic: TopicPlan, state: TopicState | Missing, needed: Sequence[int], tools: Tools
) -> Iterator[Finding]:
    """Compare a topic with its plan; more than planned is all right."""
    match state:
        case Missing(is_forbidden=True):
            # Whoever may not see it may do nothing with it: all that is needed is named at once.
            names = [*(OPERATION_NAMES[one] for one in needed), "DescribeConfigs"]
            fix = tools.allow(f"--topic {topic.name}", " --operation ".join(names))
            yield Finding(topic.name, "may not be seen with these credentials", fix)
            return
        case Missing():
            yield Finding(topic.name, "does not exist", "run: ampgate topics create")
            return
        case TopicState():
            pass
    found = [
        *_check_replicas(topic, state, tools),
        *_check_settings(topic, state, tools),
        *_check_operations(topic.name, state.operations, needed, tools),
    ]
    says = f"{state.partitions} partitions, {state.replication} replicas"
    yield from found or [Finding(topic.name, says)]


def _check_replicas(topic: TopicPlan, state: TopicState, tools: Tools) -> Iterator[Finding]:
    if state.replication < topic.replication:
        tool = tools.line("kafka-reassign-partitions", "--reassignment-json-file FILE --execute")
        yield Finding(
            topic.name,
            f"has {state.replication} of {topic.replication} replicas",
            f"reassign its partitions to {topic.replication} replicas: {tool}",
        )
    needed = int(state.settings.get("min.insync.replicas", "1"))
    if state.in_sync < needed:
        yield Finding(
            topic.name,
            f"a partition has {state.in_sync} replicas in sync of the {needed} that a write needs",
            "bring the missing brokers back: until then nothing can be stored there",
        )


def _check_settings(topic: TopicPlan, state: TopicState, tools: Tools) -> Iterator[Finding]:
    if not state.settings:
        fix = tools.allow(f"--topic {topic.name}", "DescribeConfigs")
        yield Finding(topic.name, "its settings may not be read with these credentials", fix)
        return
    for name in (name for name in AT_LEAST if name in topic.settings):
        actual, wanted = int(state.settings.get(name, "0")), int(topic.settings[name])
        if actual < wanted and actual != FOR_EVER:
            fix = tools.alter(topic.name, name, str(wanted))
            yield Finding(topic.name, f"{name} is {actual}", fix)
    policy = state.settings.get("cleanup.policy", "delete")
    if (planned := topic.settings.get("cleanup.policy", "delete")) != policy:
        compacted = "is compacted: of each user only the last record stays"
        says = f"cleanup.policy is {policy}" if "compact" in planned else compacted
        yield Finding(topic.name, says, tools.alter(topic.name, "cleanup.policy", planned))
    size = int(state.settings.get("retention.bytes", FOR_EVER))
    if size != FOR_EVER:
        yield Finding(
            topic.name,
            f"retention.bytes is {size}: in an outage, waiting records may go before their time",
            tools.alter(topic.name, "retention.bytes", str(FOR_EVER)),
        )


def _check_operations(
    topic: str, allowed: int, needed: Sequence[int], tools: Tools
) -> Iterator[Finding]:
    for operation in needed:
        if not allowed >> operation & 1:
            name = OPERATION_NAMES[operation]
            fix = tools.allow(f"--topic {topic}", name)
            yield Finding(topic, f"these credentials lack the permission {name}", fix)


def check_partitions(
    topics: Topics, states: Mapping[str, TopicState | Missing], tools: Tools
) -> Iterator[Finding]:
    """The topics need equal numbers of partitions: parked records are in their origin's number."""
    names = (*(topics.of(kind) for kind in Kind), topics.parked)
    counts = {
        name: state.partitions
        for name in names
        if isinstance(state := states.get(name), TopicState)
    }
    wanted = max(counts.values(), default=0)
    for name, count in counts.items():
        if count < wanted:
            says = f"has {count} partitions, others have {wanted}: nothing can be parked"
            fix = tools.line("kafka-topics", f"--alter --topic {name} --partitions {wanted}")
            yield Finding(name, says, f"while little waits (users change partitions): {fix}")


def check_replays(
    topics: Topics, states: Mapping[str, TopicState | Missing], tools: Tools
) -> Iterator[Finding]:
    """Which dead letters were replayed is known from records in the parked topic."""
    parked, letters = states.get(topics.parked), states.get(topics.dead_letters)
    if not isinstance(parked, TopicState) or not isinstance(letters, TopicState):
        return
    kept = parked.settings.get("retention.ms", str(FOR_EVER))
    wanted = letters.settings.get("retention.ms", str(FOR_EVER))
    if int(kept) != FOR_EVER and (int(wanted) == FOR_EVER or int(wanted) > int(kept)):
        says = (
            f"is kept for less time than {topics.dead_letters}: a letter that was replayed before"
        )
        yield Finding(
            topics.parked,
            f"{says} is sent again by a later replay",
            advice=tools.alter(topics.parked, "retention.ms", wanted),
        )


def check_group(group_id: str, allowed: int, tools: Tools) -> Iterator[Finding]:
    if not allowed >> READ & 1:
        fix = tools.allow(f"--group {group_id}", "Read")
        yield Finding(group_id, "these credentials may not join this group", fix)


async def describe_topics(
    client: AIOKafkaClient, admin: AIOKafkaAdminClient, names: list[str]
) -> dict[str, TopicState | Missing]:
    node = client.get_random_node()
    response = await client.send(node, AuthorizedMetadataRequest(names))
    states: dict[str, TopicState | Missing] = {}
    found = [topic for topic in response.topics if for_code(topic[0]) is NoError]
    settings = await settings_of(admin, [topic[1] for topic in found])
    for code, name, *_ in response.topics:
        states[name] = Missing(for_code(code) is TopicAuthorizationFailedError)
    for _code, name, _internal, partitions, operations in found:
        if name not in settings:
            continue  # It was deleted a moment ago: not every answer knows that already.
        states[name] = TopicState(
            len(partitions),
            min(len(replicas) for *_, replicas, _isr, _offline in partitions),
            min(len(isr) for *_, isr, _offline in partitions),
            operations,
            settings[name],
        )
    return states


async def settings_of(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Of each topic that exists; none of them where we may not read them."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources) if resources else []:
        for code, _message, _type, name, entries in answer.resources:
            if for_code(code) is not UnknownTopicOrPartitionError:
                found[name] = {entry[0]: entry[1] for entry in entries}
    return found


async def group_operations(
    client: AIOKafkaClient, admin: AIOKafkaAdminClient, group_ids: list[str]
) -> dict[str, int]:
    """Our permissions on each consumer group, whether it exists or not."""

    async def ask(group_id: str) -> int:
        node = await admin.find_coordinator(group_id)
        answer = await client.send(node, AuthorizedGroupsRequest([group_id]))
        code, *_, operations = answer.groups[0]
        if for_code(code) is not NoError:
            raise for_code(code)(group_id)
        return int(operations)

    found: dict[str, int] = {}
    for group_id in group_ids:
        try:
            found[group_id] = await patiently(partial(ask, group_id))
        except GroupAuthorizationFailedError:
            found[group_id] = 0
    return found
