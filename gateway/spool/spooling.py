"""The edge's log with a spool beside it: what Kafka does not take waits on the disk.

A record that is answered with success is in Kafka, or on this disk. From the first one that is
spooled, all are, in all workers, until Kafka has the last of them: so none overtakes an earlier one
of its key.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import structlog

from gateway.spool.draining import Drain, Exit, KafkaLog
from gateway.spool.keeping import Keeping
from gateway.spool.one_thread import OneThread
from gateway.spool.seldom import Seldom
from gateway.spool.spool import Entry, Spool
from schemas.kafka.batches import NotStored, TooLargeForKafka
from schemas.kafka.flushes import Write
from schemas.records import NewRecord

READY_SHARE = 0.95  # Of the spool, when a load balancer should ask another edge.
LOOK_SECONDS = 0.5
STOP_SECONDS = 1.0
log = structlog.get_logger()


class StartedLog(KafkaLog, Protocol):
    """The same, as it is started and stopped."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def probe(self) -> bool: ...


class SpoolingLog:
    """As `EdgeLog`, but a write fails only if neither Kafka nor the disk takes it."""

    def __init__(
        self, kafka: StartedLog, spool: Spool, leaving: Exit, kept: Callable[[int], None]
    ) -> None:
        self._kafka = kafka
        self.spool = spool
        self._exit = leaving
        self._thread = OneThread("spool")
        self._keeping = Keeping(spool, self._thread, kept)
        self._drain = Drain(kafka, spool, self._thread, leaving)
        self._failing = Seldom()
        self._is_stopping = False
        self._draining: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._kafka.start()
        self._draining = asyncio.create_task(self._drain_on())

    async def stop(self) -> None:
        """What is in the spool stays there."""
        self._is_stopping = self._drain.is_ending = True
        if self._draining is not None:
            await asyncio.wait([self._draining], timeout=STOP_SECONDS)  # What is half stored.
            self._draining.cancel()
            await asyncio.wait([self._draining])
        await self._kafka.stop()
        await self._keeping.end()
        if records := self.spool.level.records:  # The disk may be away by now.
            log.warning("records stay in the spool until an edge uses it again", records=records)
        await self._thread.run(self.spool.close)
        self._thread.end()

    @property
    def is_spooling(self) -> bool:
        return not self.spool.gate.is_open or not self._exit.is_known()

    async def append(self, topic: str, records: Sequence[NewRecord]) -> None:
        """Return once all are in Kafka, or all on the disk; else raise `NotStored`."""
        await self.spool.gate.settled()
        if not self.is_spooling:
            at_ms = _now_ms()
            try:
                return await self._kafka.append(topic, records)
            except TooLargeForKafka:
                raise
            except NotStored:
                return await self._keeping.keep(Entry(topic, at_ms, records)).ended()
        return await self._spooled(topic, records).ended()

    def begin(self, topic: str, records: Sequence[NewRecord]) -> Write | None:
        """As `append`, without waiting; None if that is not possible."""
        if self.is_spooling:
            return None if self.spool.gate.is_closing else self._spooled(topic, records)
        entry = Entry(topic, _now_ms(), records)
        try:
            sent = self._kafka.begin(topic, records)
        except TooLargeForKafka:
            raise
        except NotStored:
            return self._keeping.keep(entry)
        if sent is None:
            return None
        write = Write()
        write.left = 1
        ended = partial(self._sent, entry, sent, write)
        if sent.left:
            sent.then = ended
        else:
            ended()
        return write

    def fits(self, topic: str, record: NewRecord) -> bool:
        return self._kafka.fits(topic, record)

    async def probe(self) -> bool:
        """Whether what comes now is taken, by Kafka or by the disk."""
        if not self.is_spooling and await self._kafka.probe():
            return True
        return await self._takes_writes()

    def _sent(self, entry: Entry, sent: Write, write: Write) -> None:
        """Kafka has the records, or does not take them now: then they are spooled."""
        error = sent.error
        if not isinstance(error, NotStored) or isinstance(error, TooLargeForKafka):
            write.one_ended(error)
            return
        kept = self._keeping.keep(entry)
        kept.then = lambda: write.one_ended(kept.error)

    def _spooled(self, topic: str, records: Sequence[NewRecord]) -> Write:
        """Raises `TooLargeForKafka` while there is somebody to tell; a dead letter is cut later."""
        if topic != self._exit.dead_letters:
            for record in records:
                if not self._kafka.fits(topic, record):
                    raise TooLargeForKafka(topic, len(record.value))
        return self._keeping.keep(Entry(topic, _now_ms(), records))

    async def _takes_writes(self) -> bool:
        try:
            await self._thread.run(self.spool.try_writing)
        except (sqlite3.Error, OSError):
            return False
        return self.spool.level.size < READY_SHARE * self.spool.bytes_max

    async def _drain_on(self) -> None:
        while not self._is_stopping:
            try:
                await self._drain.run()
                await self._thread.run(self.spool.disk.require_files)
            except Exception as error:  # noqa: BLE001  Whatever it was: it may pass.
                if self._failing.is_due():
                    log.error("the spool cannot be used, trying again", error=repr(error))
            await asyncio.sleep(LOOK_SECONDS)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
