"""Creates the topics; existing ones are not changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)

from ampgate.cli.configuration import client_arguments
from ampgate.errors import CommandError
from schemas.configuration.config import Kafka
from schemas.kafka.tokens import NoToken, tokens_for

PARTITIONS = 12
REPLICATION = 3
DAY_MS = 86_400_000
RETENTION_MS = 7 * DAY_MS  # Amplitude's dedupe window: older records cannot be replayed safely.
PROBE_RETENTION_MS = 3_600_000
MAX_MESSAGE_BYTES = 20_971_520 + 1_048_576  # The largest request, and the record around it.
REQUEST_TIMEOUT_MS = 10_000
ATTEMPTS_MAX = 20  # Answers without progress, in a row, before it gives up.
RETRY_SECONDS = 0.25

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """The settings that a topic should have."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TopicOutcome:
    name: str
    created: bool


def plan(kafka: Kafka, *, brokers: int, partitions: int = PARTITIONS) -> list[TopicPlan]:
    """All topics, with as many replicas as so many brokers can hold, three at most."""
    replication = min(REPLICATION, brokers)
    settings = {
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "min.insync.replicas": str(max(1, replication - 1)),
        "retention.ms": str(RETENTION_MS),
    }
    topics = kafka.topics
    probe_settings = settings | {"retention.ms": str(PROBE_RETENTION_MS)}
    compacted = {
        "cleanup.policy": "compact",
        "min.insync.replicas": settings["min.insync.replicas"],
    }
    return [
        *(TopicPlan(name, partitions, replication, settings) for name in topics.lasting),
        *(TopicPlan(name, partitions, replication, compacted) for name in topics.compacted),
        TopicPlan(topics.probe, 1, replication, probe_settings),
    ]


@asynccontextmanager
async def admin_client(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client; every failure of Kafka becomes a `CommandError`."""
    arguments = {"request_timeout_ms": REQUEST_TIMEOUT_MS}
    try:
        if kafka.sasl_mechanism == "OAUTHBEARER":
            await tokens_for(kafka).token()  # aiokafka does not tell why there is none.
        client = AIOKafkaAdminClient(**client_arguments(kafka), **arguments)
        try:
            await client.start()
            yield client
        finally:
            await client.close()
    except NoToken as error:
        raise CommandError(f"there is no token to log in to Kafka with: {error.args[0]}") from error
    except KafkaConnectionError as error:
        says = f"Kafka at {kafka.bootstrap_servers} cannot be reached, or does not let us in"
        raise CommandError(says) from error
    except (KafkaError, OSError) as error:
        raise CommandError(f"Kafka at {kafka.bootstrap_servers}: {error}") from error


async def patiently(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """Retry for a while: a new cluster has to create its groups' topic first."""
    attempts = 0
    while True:
        try:
            return await ask()
        except KafkaError as error:
            attempts += 1
            if not error.retriable or attempts > ATTEMPTS_MAX:
                raise
            await asyncio.sleep(RETRY_SECONDS)


async def create(kafka: Kafka, *, partitions: int | None = None) -> list[TopicOutcome]:
    """Create the topics that are missing; can be repeated at any time.

    Without `partitions`, a missing topic gets as many as the others have: parked records are in the
    partition of the same number as their origin's.
    """
    async with admin_client(kafka) as client:
        brokers = len((await client.describe_cluster())["brokers"])
        existing = set(await client.list_topics())
        if partitions is None:
            siblings = [name for name in kafka.topics.lasting if name in existing]
            partitions = await _partitions_of(client, siblings)
        planned = plan(kafka, brokers=brokers, partitions=partitions)
        missing = [topic for topic in planned if topic.name not in existing]
        created = await _create_missing(client, missing) if missing else set()
        with suppress(KafkaError):
            # Kafka makes the topic of all groups when one is first asked for; a delivery that came
            # before would log that as an error.
            await patiently(partial(client.find_coordinator, kafka.topics.prefix))
    return [TopicOutcome(topic.name, topic.name in created) for topic in planned]


async def _partitions_of(client: AIOKafkaAdminClient, names: list[str]) -> int:
    described = await client.describe_topics(names) if names else []
    return max((len(topic["partitions"]) for topic in described), default=PARTITIONS)


async def _create_missing(client: AIOKafkaAdminClient, missing: list[TopicPlan]) -> set[str]:
    """The names of the topics that this call created."""
    new_topics = [
        NewTopic(
            topic.name, topic.partitions, topic.replication, topic_configs=dict(topic.settings)
        )
        for topic in missing
    ]
    answer = await client.create_topics(new_topics)
    created = set()
    for name, code, *message in answer.topic_errors:
        error = for_code(code)
        if code == 0:
            created.add(name)
        elif error is not TopicAlreadyExistsError:
            detail = (message[0] if message else None) or error.__name__
            raise CommandError(f"the topic {name} could not be created: {detail}")
    return created
