"""`ampgate check`: is everything in place to run? Whatever fails comes with its fix."""

import asyncio
from collections.abc import Iterator

from aiokafka.client import AIOKafkaClient

from ampgate import regions
from ampgate.check_destinations import check_destination
from ampgate.check_topics import (
    READ,
    WRITE,
    Missing,
    check_group,
    check_partitions,
    check_topic,
    describe_topics,
    group_operations,
)
from ampgate.configuration import client_arguments
from ampgate.finding import Finding
from ampgate.topics import TopicsError, admin_client, plan
from consumers.destinations import destinations_of
from schemas.config import Config

__all__ = ["Finding", "check"]


async def check(config: Config) -> list[Finding]:
    """Everything that can be known without changing anything."""
    probes = [check_destination(destination) for destination in config.destinations]
    kafka, *destinations = await asyncio.gather(check_kafka(config), *probes)
    return [*check_config(config), *kafka, *(one for found in destinations for one in found)]


def check_config(config: Config) -> Iterator[Finding]:
    sources, destinations = len(config.sources), len(config.destinations)
    fix = "" if sources else "add a [[sources]] section, else nobody can send"
    yield Finding("sources", f"{sources} configured", fix)
    fix = "" if destinations else "add a [[destinations]] section, else nothing is delivered"
    yield Finding("destinations", f"{destinations} configured", fix)
    for concern in regions.concerns(config):
        yield Finding(concern.subject, concern.says, advice=concern.advice)


async def check_kafka(config: Config) -> list[Finding]:
    try:
        return await _look_at_kafka(config)
    except TopicsError as error:
        fix = "start Kafka, or correct kafka.bootstrap_servers and the credentials"
        return [Finding("kafka", str(error), fix)]


async def _look_at_kafka(config: Config) -> list[Finding]:
    topics, groups = config.kafka.topics, _group_ids(config)
    async with admin_client(config.kafka) as admin:
        client = AIOKafkaClient(**client_arguments(config.kafka))
        try:
            await client.bootstrap()
            brokers = len((await admin.describe_cluster())["brokers"])
            planned = plan(config.kafka, brokers=brokers)
            states = await describe_topics(client, admin, [topic.name for topic in planned])
            operations = await group_operations(client, admin, groups)
        finally:
            await client.close()
    findings = [Finding("kafka", f"{config.kafka.bootstrap_servers}, {brokers} brokers")]
    for topic in planned:
        needed = [WRITE] if topic.name == topics.probe else [READ, WRITE]
        findings += check_topic(topic, states.get(topic.name, Missing(is_forbidden=False)), needed)
    findings += check_partitions(topics, states)
    for group_id in groups:
        findings += check_group(group_id, operations.get(group_id, 0))
    return findings


def _group_ids(config: Config) -> list[str]:
    """All groups that the deliveries join."""
    topics = config.kafka.topics
    return [
        topics.group_id(part.name, part.kind)
        for destination in config.destinations
        for part in destinations_of(destination)
    ]
