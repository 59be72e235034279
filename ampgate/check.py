"""`ampgate check`: is everything in place to run? Whatever fails comes with its fix."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from ampgate import regions
from ampgate.topics import TopicPlan, TopicsError, admin_client, plan
from schemas.config import Config

AT_LEAST = ("max.message.bytes", "min.insync.replicas", "retention.ms")
FOR_EVER = -1  # What Kafka calls a retention without end.


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `fix` is empty when it is as it should be.

    `advice` goes with what may be meant so: a warning, no failure.
    """

    subject: str
    says: str
    fix: str = ""
    advice: str = ""

    @property
    def ok(self) -> bool:
        return not self.fix


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as Kafka describes it."""

    replication: int
    settings: Mapping[str, str]


async def check(config: Config) -> list[Finding]:
    """Everything that can be known without changing anything."""
    findings = list(check_config(config))
    try:
        async with admin_client(config.kafka) as client:
            brokers = len((await client.describe_cluster())["brokers"])
            planned = plan(config.kafka, brokers=brokers)
            states = await _describe(client, [topic.name for topic in planned])
    except TopicsError as error:
        fix = "start Kafka, or correct kafka.bootstrap_servers and the credentials"
        return [*findings, Finding("kafka", str(error), fix)]
    findings.append(Finding("kafka", f"{config.kafka.bootstrap_servers}, {brokers} brokers"))
    for topic in planned:
        findings += check_topic(topic, states.get(topic.name))
    return findings


def check_config(config: Config) -> Iterator[Finding]:
    sources, destinations = len(config.sources), len(config.destinations)
    fix = "" if sources else "add a [[sources]] section, else nobody can send"
    yield Finding("sources", f"{sources} configured", fix)
    fix = "" if destinations else "add a [[destinations]] section, else nothing is delivered"
    yield Finding("destinations", f"{destinations} configured", fix)
    for concern in regions.concerns(config):
        yield Finding(concern.subject, concern.says, advice=concern.advice)


def check_topic(topic: TopicPlan, state: TopicState | None) -> Iterator[Finding]:
    """Compare a topic with its plan; more than planned is fine."""
    if state is None:
        yield Finding(topic.name, "does not exist", "run: ampgate topics create")
        return
    wrong = False
    if state.replication < topic.replication:
        wrong = True
        yield Finding(
            topic.name,
            f"has {state.replication} replicas",
            f"reassign its partitions to {topic.replication} replicas: kafka-reassign-partitions",
        )
    for name in AT_LEAST:
        actual, wanted = int(state.settings.get(name, "0")), int(topic.settings[name])
        if actual < wanted and actual != FOR_EVER:
            wrong = True
            yield Finding(
                topic.name,
                f"{name} is {actual}",
                f"kafka-configs --alter --topic {topic.name} --add-config {name}={wanted}",
            )
    if not wrong:
        yield Finding(topic.name, f"{state.replication} replicas")


async def _describe(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, TopicState]:
    """The state of those topics that exist."""
    # Of all topics: to name one that is missing would make some clusters create it.
    described: list[dict[str, Any]] = await client.describe_topics()
    found = {topic["topic"]: topic for topic in described if topic["topic"] in names}
    settings: dict[str, dict[str, str]] = {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in found]
    for answer in await client.describe_configs(resources) if resources else []:
        for _code, _message, _type, name, entries in answer.resources:
            settings[name] = {entry[0]: entry[1] for entry in entries}
    return {
        name: TopicState(
            min(len(partition["replicas"]) for partition in topic["partitions"]),
            settings.get(name, {}),
        )
        for name, topic in found.items()
    }
