"""Creates the topics; what exists is left as it is."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from ampgate.configuration import client_arguments
from schemas.config import Kafka

PARTITIONS = 12
REPLICATION = 3
DAY_MS = 86_400_000
RETENTION_MS = 7 * DAY_MS  # Amplitude's dedupe window: what is older cannot be replayed safely.
PROBE_RETENTION_MS = 3_600_000
MAX_MESSAGE_BYTES = 20_971_520 + 1_048_576  # The largest request, and the record around it.
REQUEST_TIMEOUT_MS = 10_000


class TopicsError(Exception):
    """Kafka could not be reached, or refused; the message says which."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic as it ought to be."""

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
    lasting = (
        *(topics.events, topics.user_properties, topics.group_properties),
        *(topics.dead_letters, topics.parked),
    )
    probe_settings = settings | {"retention.ms": str(PROBE_RETENTION_MS)}
    return [
        *(TopicPlan(name, partitions, replication, settings) for name in lasting),
        TopicPlan(topics.probe, 1, replication, probe_settings),
    ]


@asynccontextmanager
async def admin_client(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client to ask and order with; every failure of Kafka's comes out as `TopicsError`."""
    client = AIOKafkaAdminClient(**client_arguments(kafka), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await client.start()
        yield client
    except (KafkaError, OSError) as error:
        raise TopicsError(f"Kafka at {kafka.bootstrap_servers}: {error}") from error
    finally:
        await client.close()


async def create(kafka: Kafka, *, partitions: int = PARTITIONS) -> list[TopicOutcome]:
    """Make sure that every topic exists; can be repeated at any time."""
    async with admin_client(kafka) as client:
        brokers = len((await client.describe_cluster())["brokers"])
        planned = plan(kafka, brokers=brokers, partitions=partitions)
        existing = set(await client.list_topics())
        missing = [topic for topic in planned if topic.name not in existing]
        created = await _create_missing(client, missing) if missing else set()
    return [TopicOutcome(topic.name, topic.name in created) for topic in planned]


async def _create_missing(client: AIOKafkaAdminClient, missing: list[TopicPlan]) -> set[str]:
    """The names of those that were created by this very call."""
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
            raise TopicsError(f"the topic {name} could not be created: {detail}")
    return created
