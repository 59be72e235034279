"""Creates the topics; existing ones are not changed."""

import asyncio
import logging
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from ampgate.cli.configuration import client_arguments
from ampgate.concessions import Concessions
from ampgate.errors import CommandError
from ampgate.topic_plan import PARTITIONS, plan
from schemas.configuration.config import Kafka
from schemas.kafka.tokens import NoToken, tokens_for

REQUEST_TIMEOUT_MS = 10_000
ATTEMPTS_MAX = 20  # Answers without progress, in a row, before it gives up.
RETRY_SECONDS = 0.25
GROUPS_ATTEMPTS_MAX = 240  # The first group waits for a topic of 50 partitions: a minute at most.

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class TopicOutcome:
    name: str
    created: bool
    # What the cluster did not allow, by setting: what the topic has instead, as far as is known.
    instead: Mapping[str, str | None] = field(default_factory=dict)


@asynccontextmanager
async def admin_client(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client; every failure of Kafka becomes a `CommandError`.

    An `OSError` of what is done meanwhile is none: a reader is gone, a file may not be written.
    """
    try:
        client = await _started(kafka)
        try:
            yield client
        finally:
            await client.close()
    except NoToken as error:
        raise CommandError(f"there is no token to log in to Kafka with: {error.args[0]}") from error
    except KafkaConnectionError as error:
        raise CommandError(_unreachable(kafka)) from error
    except (KafkaError, TimeoutError) as error:
        raise CommandError(f"Kafka at {kafka.bootstrap_servers}: {error}") from error


def _unreachable(kafka: Kafka, causes: Collection[str] = ()) -> str:
    why = f" ({'; '.join(sorted(causes))})" if causes else ""
    return f"Kafka at {kafka.bootstrap_servers} cannot be reached, or does not let us in{why}"


@contextmanager
def _why_not() -> Iterator[Collection[str]]:
    """Why brokers do not answer: aiokafka's error does not say so, only its log."""
    causes = set[str]()

    class Causes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            match record.args:
                case (_, _, Exception() as error):  # Of one broker: its host, its port, and why.
                    causes.add(str(error) or "no answer in time")

    handler, logger = Causes(), logging.getLogger("aiokafka")
    logger.addHandler(handler)
    try:
        yield causes
    finally:
        logger.removeHandler(handler)


async def _started(kafka: Kafka) -> AIOKafkaAdminClient:
    try:
        if kafka.sasl_mechanism == "OAUTHBEARER":
            await tokens_for(kafka).token()  # aiokafka does not tell why there is none.
        client = AIOKafkaAdminClient(
            **client_arguments(kafka), request_timeout_ms=REQUEST_TIMEOUT_MS
        )
        try:
            with _why_not() as causes:
                await client.start()
        except KafkaConnectionError as error:
            await client.close()
            raise CommandError(_unreachable(kafka, causes)) from error
        except BaseException:
            await client.close()
            raise
    except OSError as error:
        raise CommandError(f"Kafka at {kafka.bootstrap_servers}: {error}") from error
    return client


async def patiently(
    ask: Callable[[], Awaitable[Answer]], attempts_max: int = ATTEMPTS_MAX
) -> Answer:
    """Retry for a while: a new cluster has to create its groups' topic first."""
    attempts = 0
    while True:
        try:
            return await ask()
        except KafkaError as error:
            attempts += 1
            if not error.retriable or attempts > attempts_max:
                raise
            await asyncio.sleep(RETRY_SECONDS)


async def create(kafka: Kafka, *, partitions: int | None = None) -> list[TopicOutcome]:
    """Create the topics that are missing, with less where the cluster allows no more.

    Can be repeated at any time. Without `partitions`, a missing topic gets as many as the others
    have: parked records are in the partition of the same number as their origin's.
    """
    async with admin_client(kafka) as client:
        brokers = len((await client.describe_cluster())["brokers"])
        existing = set(await client.list_topics())
        if partitions is None:
            siblings = [name for name in kafka.topics.lasting if name in existing]
            partitions = await _partitions_of(client, siblings)
        planned = plan(kafka, brokers=brokers, partitions=partitions)
        missing = [Concessions(topic) for topic in planned if topic.name not in existing]
        created = await _create_all(client, missing)
        await _until_shown(client, created)
        instead = {one.asked.name: await _instead(client, one) for one in missing if one.given_up}
        with suppress(KafkaError):
            # Kafka makes the topic of all groups when one is first asked for; a delivery that came
            # before would log that as an error.
            ask = partial(client.find_coordinator, kafka.topics.prefix)
            await patiently(ask, GROUPS_ATTEMPTS_MAX)
    return [
        TopicOutcome(topic.name, topic.name in created, instead.get(topic.name, {}))
        for topic in planned
    ]


async def _partitions_of(client: AIOKafkaAdminClient, names: list[str]) -> int:
    described = await client.describe_topics(names) if names else []
    return max((len(topic["partitions"]) for topic in described), default=PARTITIONS)


async def _create_all(client: AIOKafkaAdminClient, missing: Sequence[Concessions]) -> set[str]:
    """The names of the topics that this call created."""
    created: set[str] = set()
    left = list(missing)
    while left:
        new = [
            NewTopic(one.name, one.partitions, one.replication, topic_configs=dict(one.settings))
            for one in (each.asked for each in left)
        ]
        answer = await client.create_topics(new)
        refusals = {name: (code, *message) for name, code, *message in answer.topic_errors}
        created |= {name for name, (code, *_) in refusals.items() if code == 0}
        left = [one for one in left if _is_refused(one, *refusals[one.asked.name])]
    return created


async def _until_shown(client: AIOKafkaAdminClient, names: set[str]) -> None:
    """A broker hears of new topics a moment later; some it may hide from us for good."""
    for _ in range(ATTEMPTS_MAX):
        if names <= set(await client.list_topics()):
            return
        await asyncio.sleep(RETRY_SECONDS)


def _is_refused(topic: Concessions, code: int, message: str | None = None) -> bool:
    """Whether the topic has to be asked for again; `CommandError` if that would not help."""
    error = for_code(code)
    if code == 0 or error is TopicAlreadyExistsError:
        return False
    says = message or error.__name__
    if not topic.refused(error, says):
        name = topic.asked.name
        if issubclass(error, TopicAuthorizationFailedError | ClusterAuthorizationFailedError):
            says = f"these credentials lack the permission Create (--topic {name}, or --cluster)"
        raise CommandError(f"the topic {name} could not be created: {says}")
    return True


async def _instead(client: AIOKafkaAdminClient, topic: Concessions) -> dict[str, str | None]:
    """What it has where it does not have what was wanted; the cluster's own settings are asked."""
    found = topic.given_up
    if None in found.values():
        with suppress(KafkaError):
            resource = ConfigResource(ConfigResourceType.TOPIC, topic.asked.name)
            for answer in await client.describe_configs([resource]):
                for _code, _message, _type, _name, entries in answer.resources:
                    actual = {entry[0]: entry[1] for entry in entries}
                    found = {name: value or actual.get(name) for name, value in found.items()}
    return found


def as_configuration(kafka: Kafka, outcomes: Sequence[TopicOutcome]) -> str:
    """What to configure, so that the topics are planned as the cluster made them."""
    lines: list[str] = []
    for one in outcomes:
        known = [f'"{name}" = "{value}"' for name, value in one.instead.items() if value]
        if known:
            table = one.name.removeprefix(kafka.topic_prefix)
            lines += [f"[kafka.topic_settings.{table}]", *known]
    return "\n".join(lines)
