"""Takes records out of the spool, in order, and appends them to Kafka."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog

from gateway.spool.one_thread import OneThread
from gateway.spool.seldom import Seldom
from gateway.spool.spool import Entry, Level, Row, Spool, bytes_of
from schemas.kafka.batches import NotStored, TooLargeForKafka
from schemas.kafka.flushes import Write
from schemas.records import NewRecord

# On their way to Kafka together. If this process is killed meanwhile, they are sent again.
LOT_BYTES = 4_000_000
# Nobody waits for an answer: what a slow Kafka acknowledges later would be sent again and again.
ACK_SECONDS = 30.0
log = structlog.get_logger()


class KafkaLog(Protocol):
    """Writes to Kafka alone, with the time when the records were accepted (`Log`)."""

    async def append(
        self, topic: str, records: Sequence[NewRecord], at_ms: int | None = None
    ) -> None: ...
    def begin(
        self, topic: str, records: Sequence[NewRecord], at_ms: int | None = None
    ) -> Write | None: ...
    def fits(self, topic: str, record: NewRecord) -> bool: ...
    def patient(self, ack_timeout_seconds: float) -> AbstractContextManager[None]: ...


@dataclass(frozen=True, slots=True)
class Exit:
    """What is asked of a record before it leaves for Kafka: hours may have passed."""

    # Whether it is known who is suppressed.
    is_known: Callable[[], bool]
    # Those of the topic's records that are of nobody suppressed.
    unsuppressed: Callable[[str, Sequence[NewRecord]], Awaitable[Sequence[NewRecord]]]
    dead_letters: str
    # The dead letter of a record, accepted at this time, that its topic does not take.
    too_large: Callable[[NewRecord, int], NewRecord]


class Drain:
    def __init__(self, kafka: KafkaLog, spool: Spool, thread: OneThread, leaving: Exit) -> None:
        self._kafka = kafka
        self._spool = spool
        self._thread = thread
        self._exit = leaving
        self._stored = list[Row]()  # Kafka has them, and the spool does still.
        self.is_ending = False  # After the lot that is on its way.
        self._leaving = Seldom()  # Kafka may come and go every second.
        self._is_told = False  # The last that the log says is not that the spool is empty.

    async def run(self) -> None:
        """Take out what waits, as far as Kafka takes it; one process does so."""
        level = await self._thread.run(self._spool.look)
        if not self._spool.drain_lock.is_ours():
            return
        if self._stored:
            await self._remove(is_over=True)
        if self._exit.is_known():
            with self._kafka.patient(ACK_SECONDS):
                await self._take_out(level)
        level = await self._thread.run(self._tidied)
        if self._is_told and level.oldest_ms is None:
            self._is_told = False
            log.info("the spool is empty, records go straight to Kafka")

    async def _take_out(self, level: Level) -> None:
        """All topics together, in order; if Kafka does not take all, each of the others by itself:
        a topic that was deleted, or may not be written, does not keep them back.
        """
        refused = await self._take_out_of(None, level)
        for topic in await self._thread.run(self._spool.topics):
            if topic not in refused:
                await self._take_out_of(topic, level)

    async def _take_out_of(self, topic: str | None, level: Level) -> set[str]:
        """Returns the topics that Kafka does not take; the first row is a trial."""
        size = 0
        while rows := await self._thread.run(partial(self._lot, size, topic)):
            if refused := await self._refused(rows):
                return refused
            self._say_leaving(level)
            if topic is not None and bytes_of(rows) <= size:
                break  # There would be no end under load: the gate does not close for one topic.
            size = LOT_BYTES
        return set()

    def _lot(self, size: int, topic: str | None) -> list[Row]:
        return [] if self.is_ending else self._spool.first(size, topic)

    def _tidied(self) -> Level:
        self._spool.settle()
        level = self._spool.look()
        if level.oldest_ms is None:
            self._spool.shrink()
        return level

    def _say_leaving(self, level: Level) -> None:
        if self._leaving.is_due():
            self._is_told = True
            log.info("records leave the spool for Kafka", records=level.records, bytes=level.size)

    async def _refused(self, rows: Sequence[Row]) -> set[str]:
        """The topics of which Kafka does not take all; what it takes leaves the spool."""
        sent = await self._append(rows)
        self._stored = sent.stored
        await self._remove(is_over=bool(sent.refused))
        return sent.refused

    async def _remove(self, *, is_over: bool) -> None:
        await self._thread.run(partial(self._spool.remove, self._stored, is_over=is_over))
        self._stored = []

    async def _append(self, rows: Sequence[Row]) -> "_Sent":
        """Of a topic none is appended after it is known that one failed, so none overtakes an
        earlier one of its key.
        """
        entries = [await self._unsuppressed(row.entry) for row in rows]
        sent, begun = _Sent(), list[tuple[Row, Entry, Write]]()
        for row, entry in zip(rows, entries, strict=True):
            if entry.topic in sent.refused:
                continue
            try:
                write = self._begun(entry)
            except NotStored:
                sent.refused.add(entry.topic)
                continue
            if write is not None:
                begun.append((row, entry, write))
                continue
            await self._end(sent, begun)
            begun = []
            if entry.topic not in sent.refused:
                await sent.end(row, self._store(entry))
        await self._end(sent, begun)
        return sent

    async def _end(self, sent: "_Sent", begun: Sequence[tuple[Row, Entry, Write]]) -> None:
        for row, entry, write in begun:
            await sent.end(row, self._end_of(entry, write))

    async def _unsuppressed(self, entry: Entry) -> Entry:
        return entry._replace(records=await self._exit.unsuppressed(entry.topic, entry.records))

    def _begun(self, entry: Entry) -> Write | None:
        """None if it has to be awaited."""
        try:
            return self._kafka.begin(entry.topic, entry.records, entry.at_ms)
        except TooLargeForKafka:
            return None

    async def _end_of(self, entry: Entry, write: Write) -> None:
        try:
            await write.ended()
        except TooLargeForKafka:  # Kafka had not told its limit; now it is known.
            await self._store(entry)

    async def _store(self, entry: Entry) -> None:
        """What is larger than its topic takes becomes a dead letter: it was answered already."""
        topic, at_ms, records = entry
        try:
            await self._kafka.append(topic, records, at_ms)
        except TooLargeForKafka:
            large = [one for one in records if not self._kafka.fits(topic, one)] or records
            letters = [self._exit.too_large(one, at_ms) for one in large]
            await self._kafka.append(self._exit.dead_letters, letters, at_ms)
            fitting = [one for one in records if self._kafka.fits(topic, one)]
            if fitting and len(large) < len(records):
                await self._kafka.append(topic, fitting, at_ms)


@dataclass(slots=True)
class _Sent:
    """What became of rows that were sent: Kafka has them, whole, or refused one of their topic."""

    stored: list[Row] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    async def end(self, row: Row, storing: Awaitable[None]) -> None:
        try:
            await storing
        except NotStored:
            self.refused.add(row.entry.topic)
        else:
            self.stored.append(row)
