"""`ampgate check`: whether everything is in place to run, and how to fix what is not."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from typing import TypeAlias

from aiokafka.client import AIOKafkaClient

from ampgate.amplitude_read.budget import directory
from ampgate.ask.ask import check_reading
from ampgate.check import regions
from ampgate.check.broker_settings import (
    OFFSETS_RETENTION,
    broker_settings,
    check_sessions,
)
from ampgate.check.compression import check_compression
from ampgate.check.destinations import check_changes, check_destination, check_plans
from ampgate.check.edge import check_certificate, check_console, check_keys
from ampgate.check.finding import Finding
from ampgate.check.offsets import (
    check_left_behind,
    check_offsets_retention,
)
from ampgate.check.topics import (
    READ,
    WRITE,
    Missing,
    Tools,
    check_group,
    check_partitions,
    check_replays,
    check_topic,
    describe_topics,
    group_operations,
    may_write,
)
from ampgate.cli.configuration import client_arguments
from ampgate.errors import CommandError
from ampgate.topic_plan import plan
from ampgate.topics import admin_client
from consumers.destinations import parts_of
from schemas.configuration.config import Config

__all__ = ["Finding", "check"]
# Requests to destinations. A client takes 30 ms of CPU to make: those of a thousand destinations,
# made in one step, let the console answer nobody for half a minute.
AT_ONCE = 20
Probe: TypeAlias = Callable[[], Awaitable[Sequence[Finding]]]


async def check(config: Config) -> list[Finding]:
    """All findings; changes nothing, and writes nothing but a record to the topic of probes."""
    kafka, destinations = await asyncio.gather(check_kafka(config), check_destinations(config))
    return [*check_config(config), *kafka, *destinations]


async def check_destinations(config: Config) -> list[Finding]:
    kept_in = directory(os.environ)
    return await found_by(
        [
            *(partial(check_destination, one) for one in config.destinations),
            *(partial(check_reading, one, kept_in) for one in config.destinations),
        ]
    )


async def found_by(probes: Sequence[Probe]) -> list[Finding]:
    """What each of them finds, in their order; `AT_ONCE` are under way."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(probe: Probe) -> Sequence[Finding]:
        async with turns:
            return await probe()

    found = await asyncio.gather(*map(in_turn, probes))
    return [one for some in found for one in some]


def check_config(config: Config) -> Iterator[Finding]:
    sources, destinations = len(config.sources), len(config.destinations)
    fix = "" if sources else "add a [[sources]] section, else nobody can send"
    yield Finding("sources", f"{sources} configured", fix)
    fix = "" if destinations else "add a [[destinations]] section, else nothing is delivered"
    yield Finding("destinations", f"{destinations} configured", fix)
    for concern in regions.concerns(config):
        yield Finding(concern.subject, concern.says, advice=concern.advice)
    yield from check_plans(config)
    for destination in config.destinations:
        yield from check_changes(config, destination)
    yield from check_keys(config.sources)
    yield from check_console(config.console)
    yield from check_certificate(config.edge, datetime.now(UTC))


async def check_kafka(config: Config) -> list[Finding]:
    try:
        return await _look_at_kafka(config)
    except CommandError as error:
        fix = "start Kafka, or correct kafka.bootstrap_servers and the credentials"
        return [Finding("kafka", str(error), fix)]


async def _look_at_kafka(config: Config) -> list[Finding]:
    topics, groups = config.kafka.topics, _group_ids(config)
    async with admin_client(config.kafka) as admin:
        client = AIOKafkaClient(**client_arguments(config.kafka))
        try:
            await client.bootstrap()
            brokers = [one["host"] for one in (await admin.describe_cluster())["brokers"]]
            planned = plan(config.kafka, brokers=len(brokers))
            states = await describe_topics(client, admin, [topic.name for topic in planned])
            operations = await group_operations(client, admin, groups)
            settings = await broker_settings(admin, client.get_random_node())
        finally:
            await client.close()
    tools = Tools(config.kafka)
    findings = [check_brokers(config.kafka.bootstrap_servers, brokers)]
    for topic in planned:
        needed = [WRITE] if topic.name == topics.probe else [READ, WRITE]
        state = states.get(topic.name, Missing(is_forbidden=False))
        findings += check_topic(topic, state, needed, tools)
    findings += check_partitions(topics, states, tools)
    findings += check_replays(topics, states, tools)
    if may_write(states.get(topics.probe)):
        findings += await check_compression(config.kafka)
    minutes = settings.get(OFFSETS_RETENTION)
    findings += check_offsets_retention(topics, states, minutes, tools)
    findings += check_sessions(settings)
    for group_id in groups:
        findings += check_group(group_id, operations.get(group_id, 0), tools)
    return findings + await check_left_behind(config)


def check_brokers(servers: str, hosts: Sequence[str]) -> Finding:
    """The number of brokers; one is enough only for trying things out."""
    if len(hosts) > 1:
        return Finding("kafka", f"{servers}, {len(hosts)} brokers")
    if all(map(_is_loopback, hosts)):
        return Finding("kafka", f"{servers}, one broker")
    advice = "run three or more, then reassign the topics' partitions to 3 replicas"
    return Finding("kafka", f"{servers}, one broker: its loss is a loss of events", advice=advice)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _group_ids(config: Config) -> list[str]:
    """All groups that the deliveries and the pulls join."""
    topics = config.kafka.topics
    delivering = [
        topics.group_id(part.name, part.kind)
        for destination in config.destinations
        for part in parts_of(destination)
    ]
    return [*delivering, topics.pull_group] if config.pulls else delivering
