"""Takes records out of the spool, in order, and appends them to Kafka."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from gateway.spool.one_thread import OneThread
from gateway.spool.spool import Entry, Row, Spool
from schemas.kafka.batches import NotStored, TooLargeForKafka
from schemas.kafka.flushes import Write
from schemas.records import NewRecord

# On their way to Kafka together. If this process is killed meanwhile, they are sent again.
LOT_BYTES = 4_000_000
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
        self.is_ending = False  # After the lot that is on its way.

    async def run(self) -> None:
        """Take out what waits, as long as Kafka takes it; one process does so."""
        level = await self._thread.run(self._spool.look)
        if not self._spool.drain_lock.is_ours():
            return
        if level.oldest_ms is None:
            await self._thread.run(self._spool.tidy)
            return
        if not self._exit.is_known():
            return
        trial = await self._thread.run(self._spool.oldest)
        if not await self._took(trial):
            return
        log.info("records leave the spool for Kafka", records=level.records, bytes=level.size)
        while rows := await self._thread.run(self._lot):
            if not await self._took(rows):
                log.info("Kafka takes no more, the rest stays in the spool")
                return
        if not self.is_ending:
            log.info("the spool is empty, records go straight to Kafka")

    def _lot(self) -> list[Row]:
        return [] if self.is_ending else self._spool.first(LOT_BYTES)

    async def _took(self, rows: Sequence[Row]) -> bool:
        """Whether Kafka takes all of them; what it takes leaves the spool."""
        stored = await self._append(rows)
        is_over = len(stored) < len(rows)
        await self._thread.run(lambda: self._spool.remove(stored, is_over=is_over))
        return not is_over

    async def _append(self, rows: Sequence[Row]) -> list[Row]:
        """Those that Kafka has, whole. None is appended after it is known that one failed, so none
        overtakes an earlier one of its key.
        """
        entries = [await self._unsuppressed(row.entry) for row in rows]
        stored: list[Row] = []
        begun: list[tuple[Row, Entry, Write]] = []
        for row, entry in zip(rows, entries, strict=True):
            try:
                write = self._begun(entry)
            except NotStored:
                break
            if write is not None:
                begun.append((row, entry, write))
                continue
            ended = await self._ended(begun)
            stored += ended
            if len(ended) < len(begun) or not await self._is_stored(self._store(entry)):
                return stored
            stored.append(row)
            begun = []
        return stored + await self._ended(begun)

    async def _unsuppressed(self, entry: Entry) -> Entry:
        return entry._replace(records=await self._exit.unsuppressed(entry.topic, entry.records))

    def _begun(self, entry: Entry) -> Write | None:
        """None if it has to be awaited."""
        try:
            return self._kafka.begin(entry.topic, entry.records, entry.at_ms)
        except TooLargeForKafka:
            return None

    async def _ended(self, begun: Sequence[tuple[Row, Entry, Write]]) -> list[Row]:
        return [
            row for row, entry, write in begun if await self._is_stored(self._end_of(entry, write))
        ]

    async def _is_stored(self, storing: Awaitable[None]) -> bool:
        try:
            await storing
        except NotStored:
            return False
        return True

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
