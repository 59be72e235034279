"""Reads what Kafka has stored, at once and as fast as it can be searched; joins no group."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    OffsetOutOfRangeError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import OffsetAndMetadata

from ampgate.archive.batches import Answer, Wanted, search
from ampgate.cli.configuration import client_arguments
from ampgate.destinations.groups import members_of
from ampgate.errors import CommandError
from ampgate.topics import ATTEMPTS_MAX, RETRY_SECONDS, admin_client, patiently
from schemas.configuration.config import Kafka
from schemas.kafka.fetching.log_ends import log_end
from schemas.records import Stored
from schemas.topics import Kind, Topics

FETCH_BYTES = 8_000_000  # A request; four of them are in memory at once.
FETCHES_AT_ONCE = 4
FETCH_WAIT_MS = 500
PATIENCE_SECONDS = 30.0  # Of one partition without an answer.
READ_COMMITTED = 1  # As the deliveries read: without aborted transactions.

Each = Callable[[list[Stored]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Span:
    """A part of one partition: from `start`, up to `end` without it."""

    topic: str
    partition: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Committed:
    """How far a group has settled one partition, and its commit note."""

    offset: int
    metadata: str


class Archive:
    """The records of our topics, and the progress of the groups."""

    def __init__(
        self, consumer: AIOKafkaConsumer, client: AIOKafkaClient, admin: AIOKafkaAdminClient
    ) -> None:
        self._consumer = consumer
        self._client = client
        self._admin = admin
        self._cluster = client.cluster

    async def has(self, topic: str) -> bool:
        return topic in await self._admin.list_topics()

    async def partitions(self, topic: str) -> int:
        self._cluster = await self._client.fetch_all_metadata()
        found = self._cluster.partitions_for_topic(topic)
        if not found:
            raise CommandError(f"the topic {topic} does not exist: run ampgate topics create")
        return len(found)

    async def require_co_partitions(self, topics: Topics) -> None:
        """Parked records are in the partition of the same number as their origin's."""
        wanted = await self.partitions(topics.parked)
        for topic in (topics.of(kind) for kind in Kind):
            if (count := await self.partitions(topic)) != wanted:
                raise CommandError(
                    f"{topics.parked} has {wanted} partitions, {topic} has {count}: nothing can be"
                    " parked, and so nothing replayed; ampgate check says how to fix it"
                )

    async def spans(
        self, topic: str, *, since_ms: int | None = None, partitions: Iterable[int] | None = None
    ) -> list[Span]:
        """What a topic holds right now, from the first record at or after `since_ms`."""
        numbers = range(await self.partitions(topic)) if partitions is None else partitions
        places = [TopicPartition(topic, number) for number in numbers]
        starts: dict[TopicPartition, int] = await self._consumer.beginning_offsets(places)
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(places)
        if since_ms is not None:
            timed = await self._consumer.offsets_for_times(dict.fromkeys(places, since_ms))
            for place, found in timed.items():
                starts[place] = ends[place] if found is None else found.offset
        return [Span(topic, p.partition, starts[p], ends[p]) for p in places]

    async def withheld(self, spans: Iterable[Span]) -> list[Span]:
        """What is behind these, as a transaction is not finished: nobody can read it yet."""
        found = []
        for span in spans:
            with suppress(KafkaError):  # Of a partition that does not say it, nothing is told.
                place = TopicPartition(span.topic, span.partition)
                end = await log_end(self._client, self._cluster, place)
                if end > span.end:
                    found.append(Span(span.topic, span.partition, span.end, end))
        return found

    async def committed(self, group_id: str, topic: str) -> Mapping[int, Committed]:
        """By partition, without those of which the group committed nothing."""
        offsets: Mapping[TopicPartition, OffsetAndMetadata] = await patiently(
            partial(self._admin.list_consumer_group_offsets, group_id)
        )
        return {
            place.partition: Committed(found.offset, found.metadata or "")
            for place, found in offsets.items()
            if place.topic == topic and found.offset >= 0
        }

    async def members(self, group_id: str) -> int:
        return await members_of(self._admin, self._client, group_id)

    async def search(self, spans: Iterable[Span], wanted: Wanted, each: Each) -> None:
        """Pass on records that may match, in chunks; those of a partition in order."""
        room = asyncio.Semaphore(FETCHES_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as tasks:
                for span in spans:
                    tasks.create_task(self._search_span(span, wanted, each, room))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None  # The first error is enough.

    async def find(
        self,
        spans: Iterable[Span],
        wanted: Wanted,
        matches: Callable[[Stored], object] = lambda _record: True,
    ) -> list[Stored]:
        """As `search`, all at once, of those that match: a short string is in most batches."""
        found: list[Stored] = []

        async def collect(records: list[Stored]) -> None:
            found.extend(filter(matches, records))

        await self.search(spans, wanted, collect)
        return sorted(found, key=lambda record: (record.topic, record.partition, record.offset))

    async def at(self, topic: str, partition: int, offset: int) -> Stored | None:
        """The one record there, if it is there."""
        if partition >= await self.partitions(topic):
            return None
        (whole,) = await self.spans(topic, partitions=[partition])
        if not whole.start <= offset < whole.end:
            return None
        found = await self.find([Span(topic, partition, offset, offset + 1)], Wanted())
        return found[0] if found else None

    async def _search_span(
        self, span: Span, wanted: Wanted, each: Each, room: asyncio.Semaphore
    ) -> None:
        position, attempts, failing_since = span.start, 0, 0.0
        while position < span.end:
            async with room:
                try:
                    answer = await self._fetch(span, position)
                except OffsetOutOfRangeError:
                    position = await self._oldest_after(span, position)
                    continue
                except KafkaError as error:
                    failing_since = failing_since or time.monotonic()
                    await self._wait_out(error, span, position, failing_since)
                    continue
                # In a thread: decompression releases the GIL, so the next answer is read meanwhile.
                found, reached = await asyncio.to_thread(
                    search, answer, span.topic, span.partition, position, wanted
                )
            failing_since, attempts = 0.0, 0 if reached > position else attempts + 1
            if attempts > ATTEMPTS_MAX:
                raise CommandError(f"{span.topic}/{span.partition}/{position} cannot be read")
            position = reached
            if wanted_here := [record for record in found if record.offset < span.end]:
                await each(wanted_here)

    async def _wait_out(
        self, error: KafkaError, span: Span, position: int, failing_since: float
    ) -> None:
        """Before the next attempt: another broker leads now, or one starts again."""
        if not error.retriable:
            raise error
        if time.monotonic() - failing_since > PATIENCE_SECONDS:
            place = f"{span.topic}/{span.partition}/{position}"
            why = str(error) or type(error).__name__
            raise CommandError(f"{place} cannot be read: {why}") from error
        await asyncio.sleep(RETRY_SECONDS)
        with suppress(KafkaError):  # No broker answers: a later one may.
            self._cluster = await self._client.fetch_all_metadata()

    async def _oldest_after(self, span: Span, position: int) -> int:
        """Where to go on: Kafka's retention has deleted what was here, or its log was cut."""
        place = TopicPartition(span.topic, span.partition)
        oldest: int = (await self._consumer.beginning_offsets([place]))[place]
        return oldest if oldest > position else span.end

    async def _fetch(self, span: Span, position: int) -> Answer:
        """Kafka's answer; a `KafkaError` that is retriable if it has none now."""
        leader = self._cluster.leader_for_partition(TopicPartition(span.topic, span.partition))
        if leader is None or leader == -1:
            raise LeaderNotAvailableError
        asked = [(span.topic, [(span.partition, position, FETCH_BYTES)])]
        request = FetchRequest(FETCH_WAIT_MS, 1, FETCH_BYTES, READ_COMMITTED, asked)
        response = await self._client.send(leader, request)
        # As every Kafka since 1.0 answers (version 5 and later).
        _, error_code, _, _, _, aborted, *_, records = response.topics[0][1][0]
        error = for_code(error_code)
        if error is not NoError:
            raise error(f"{span.topic}/{span.partition}")
        return Answer(bytes(records or b""), [(one[0], one[1]) for one in aborted or ()])


@asynccontextmanager
async def archive(kafka: Kafka) -> AsyncIterator[Archive]:
    """Every failure of Kafka's comes out as `CommandError`."""
    arguments = client_arguments(kafka)
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(admin_client(kafka))
        client = AIOKafkaClient(**arguments)
        stack.push_async_callback(client.close)
        await client.bootstrap()
        # It waits so long whenever it hears of a topic for the first time.
        consumer = AIOKafkaConsumer(
            **arguments, isolation_level="read_committed", retry_backoff_ms=10
        )
        stack.push_async_callback(consumer.stop)
        await consumer.start()
        # Its tasks begin: one that is stopped before raises a cancellation that nobody asked for.
        await asyncio.sleep(0)
        yield Archive(consumer, client, admin)
