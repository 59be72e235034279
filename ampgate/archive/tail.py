"""`ampgate tail`: records as they come in. It joins no consumer group."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from ampgate.archive.archive import archive
from ampgate.cli.configuration import client_arguments
from ampgate.cli.moments import write_moment
from ampgate.cli.printing import printable
from ampgate.errors import CommandError
from ampgate.trace.whereabouts import identity_of
from schemas.cancellation import heeding
from schemas.configuration.config import Kafka
from schemas.decoding import NOT_DECODED
from schemas.kafka.fetching.fetch import Consumer
from schemas.records import Stored, source_of

POLL_MS = 1000
METADATA_MS = 30_000  # Added partitions are seen after so long.
QUIET_SECONDS = 10.0  # After so long without a record, Kafka is asked whether it is there.
ANSWER_SECONDS = 10.0
VALUE_CHARACTERS_MAX = 160


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are shown; a condition that is absent matches all."""

    user: str | None = None
    event_type: str | None = None
    source: str | None = None

    def matches(self, record: Stored) -> bool:
        if self.source not in (None, source_of(record)):
            return False
        identity = identity_of(record.value)
        if self.event_type not in (None, identity.event_type):
            return False
        if self.user is None:
            return True
        key = (record.key or b"").decode(errors="replace")
        return self.user in (key, identity.user_id, identity.device_id)


@dataclass(frozen=True, slots=True)
class Shown:
    """A record for machines: its value as JSON, or as text if it is not JSON."""

    topic: str
    partition: int
    offset: int
    time: str
    key: str | None
    source: str
    value: object


async def tail(
    kafka: Kafka,
    topics: Sequence[str],
    chosen: Filter,
    on_ready: Callable[[], None] = lambda: None,
    on_trouble: Callable[[str], None] = lambda _why: None,
) -> AsyncGenerator[Stored]:
    """What is stored from now on, for ever; nothing is missed once `on_ready` was called.

    While nothing comes, Kafka is asked whether it is there: `on_trouble` is told why it is not, and
    an empty text once it is again.
    """
    async with archive(kafka) as stored:
        spans = [span for topic in topics for span in await stored.spans(topic)]
    consumer = Consumer(
        **client_arguments(kafka),
        enable_auto_commit=False,
        isolation_level="read_committed",
        metadata_max_age_ms=METADATA_MS,
    )
    places = [TopicPartition(span.topic, span.partition) for span in spans]
    consumer.assign(places)
    try:
        await consumer.start()
        for place, span in zip(places, spans, strict=True):
            consumer.seek(place, span.end)
        on_ready()
        heard_at, trouble = time.monotonic(), ""
        while True:
            fetched = await consumer.getmany(timeout_ms=POLL_MS)
            if added := _added(consumer, topics, places):
                await _follow(consumer, places, added)
                places += added
            if fetched:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > QUIET_SECONDS:
                before, trouble = trouble, await _trouble(kafka, consumer, places)
                heard_at = time.monotonic()
                if trouble != before:
                    on_trouble(trouble)
            for one in (one for records in fetched.values() for one in records):
                if chosen.matches(record := _stored(one)):
                    yield record
    except KafkaError as error:
        raise CommandError(f"Kafka at {kafka.bootstrap_servers}: {error}") from error
    finally:
        await heeding(consumer.stop())


def _stored(one: Any) -> Stored:  # noqa: ANN401  aiokafka has no types.
    headers = [(name, value or b"") for name, value in one.headers]
    place = one.topic, one.partition, one.offset
    return Stored(*place, one.timestamp, one.key, one.value, headers)


def _added(
    consumer: Consumer, topics: Sequence[str], places: Sequence[TopicPartition]
) -> list[TopicPartition]:
    """Partitions that came since."""
    known = frozenset(places)
    found = [
        TopicPartition(topic, number)
        for topic in topics
        for number in consumer.partitions_for_topic(topic) or ()
    ]
    return [place for place in found if place not in known]


async def _follow(
    consumer: Consumer, places: Sequence[TopicPartition], added: Sequence[TopicPartition]
) -> None:
    """Those that are added from their beginning, the others from where they are."""
    positions = {place: await consumer.position(place) for place in places}
    consumer.assign([*places, *added])
    for place, position in [*positions.items(), *((place, 0) for place in added)]:
        consumer.seek(place, position)


async def _trouble(kafka: Kafka, consumer: Consumer, places: Sequence[TopicPartition]) -> str:
    """Why nothing may come, if it is not that there is nothing."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await consumer.end_offsets(places)
    except (KafkaError, TimeoutError):
        return f"Kafka at {kafka.bootstrap_servers} does not answer"
    return ""


def as_shown(record: Stored) -> Shown:
    return Shown(
        record.topic,
        record.partition,
        record.offset,
        write_moment(record.timestamp),
        None if record.key is None else record.key.decode(errors="replace"),
        source_of(record),
        _readable(record.value),
    )


def _readable(value: bytes | None) -> object:
    if value is None:
        return None
    try:
        found: object = msgspec.json.decode(value)
        orjson.dumps(found)  # It fails for an integer that is too large for JSON.
        return found
    except (*NOT_DECODED, TypeError):
        return value.decode(errors="replace")


def in_words(record: Stored) -> str:
    shown, identity = as_shown(record), identity_of(record.value)
    user = identity.user_id or identity.device_id or shown.key or ""
    value = (record.value or b"").decode(errors="replace")[:VALUE_CHARACTERS_MAX]
    place = f"{record.topic}/{record.partition}/{record.offset}"
    what = identity.event_type or ""
    return printable(f"{shown.time} {place}  {shown.source}  {user}  {what}  {value}")
