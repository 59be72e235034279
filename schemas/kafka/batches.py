"""Writing to one partition: batches that writers share, sent one after the other."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from schemas.deadline import Deadline
from schemas.kafka.compression import Compression
from schemas.kafka.flushes import Appendable, Flush, OpenBatch, all_done, retrieved
from schemas.kafka.numbering import Numbering
from schemas.kafka.outage import Outage
from schemas.kafka.sizes import Sizes
from schemas.records import TopicPartition

# A request to a broker holds a batch of each partition that has one, and brokers close the
# connection at 100 MB (`socket.request.max.bytes`). So of larger batches one goes at a time.
LARGE_BYTES = 1_000_000
SLOW_SECONDS = 10.0
log = structlog.get_logger()


class NotStored(Exception):  # noqa: N818  It reads as what happened.
    """Kafka did not acknowledge the records, in time or at all."""


class TooLargeForKafka(NotStored):
    """The topic does not take a record of this size; a retry would not help."""

    def __init__(self, topic: str, size: int) -> None:
        super().__init__(f"{topic} does not take a record of {size} bytes")
        self.size = size


@dataclass(frozen=True, slots=True)
class Way:
    """State shared by all partitions."""

    producer: Callable[[], Any]  # Raises `NotStored` while there is no producer.
    replace_producer: Callable[[], None]
    ack_timeout_seconds: float | None
    sizes: Sizes
    outage: Outage
    compression: Compression
    large: asyncio.Semaphore = field(default_factory=asyncio.Semaphore)  # One at a time.


class Lane:
    """One partition: the batches that wait, in order, and the task that sends them.

    At most one batch is with aiokafka, and none follows before its result is known: that decides
    whether the sequence numbers go on or start again.
    """

    def __init__(self, way: Way, place: TopicPartition, *, is_strict: bool = False) -> None:
        """If `strict`, records behind one that is too large fail with it."""
        self._way = way
        self._place = place
        self._is_strict = is_strict
        self._numbering = Numbering()
        self._handed: asyncio.Future[Any] | None = None  # A batch whose result is not known yet.
        self._acknowledgement = Deadline(asyncio.get_running_loop(), self._stop_waiting)
        self._is_late = False
        self._waiting: list[Flush] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, records: Sequence[Appendable], now_ms: int) -> "set[asyncio.Future[None]]":
        """Append the records to the queue; the futures end when they are stored."""
        flush = self._waiting[-1] if self._waiting else self._begin()
        waits: set[asyncio.Future[None]] = set()
        for record in records:
            if not flush.append(record, now_ms):
                flush = self._begin()
                if not flush.append(record, now_ms):  # The first of a batch always fits.
                    raise AssertionError("an empty batch refused a record")
            waits.add(flush.stored)
        return waits

    def _begin(self) -> Flush:
        self._way.producer()  # Raises `NotStored` while there is none.
        size = self._way.sizes.of(self._place.topic).batch
        flush = Flush(OpenBatch(size, self._way.compression.codec, self._numbering))
        self._waiting.append(flush)
        if self._task is None:
            self._task = asyncio.create_task(self._send_all())
        return flush

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                flush = self._waiting[0]
                try:
                    is_up = await self._send(flush)
                finally:
                    flush.batch.close()
                    self._waiting.pop(0)
                if not is_up:
                    # Kafka does not answer: the batches behind it would time out, too.
                    self.fail(NotStored("Kafka does not acknowledge"))
        finally:
            self._task = None

    async def _send(self, flush: Flush) -> bool:
        """Whether to try the next one."""
        try:
            await self._send_in_time(flush)
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            self._refused(flush, error)
            return not self._is_strict
        except asyncio.CancelledError:
            _fail(flush, NotStored("the process stops"))
            raise
        except Exception as error:  # noqa: BLE001  Whatever it was: nothing was acknowledged.
            if self._way.compression.is_refused(flush.batch.codec, error):
                flush.batch = flush.batch.compressed_as(self._way.compression.codec)
                return await self._send(flush)
            if self._handed is not None:  # If no batch follows, its result is never read.
                self._handed.add_done_callback(retrieved)
            self._say_failed(error)
            failure = NotStored(str(error) or type(error).__name__)
            failure.__cause__ = error
            _fail(flush, failure)
            return False
        self._handed = None  # Its result is known.
        self._way.outage.stored(self._place)
        if not flush.stored.done():
            flush.stored.set_result(None)
        return True

    async def _send_in_time(self, flush: Flush) -> None:
        """`TimeoutError` if Kafka takes longer than `ack_timeout_seconds`."""
        if self._way.ack_timeout_seconds is not None:
            self._acknowledgement.set(self._way.ack_timeout_seconds)
        self._is_late = False
        try:
            if self._handed is not None:
                await self._settle(self._handed)
            await self._hand_over(flush)
        except asyncio.CancelledError:
            # As `asyncio.timeout` does: another may have cancelled it, too.
            if self._is_late and self._task is not None and not self._task.uncancel():
                raise TimeoutError from None
            raise
        finally:
            self._acknowledgement.clear()

    def _stop_waiting(self) -> None:
        self._is_late = True
        if self._task is not None:
            self._task.cancel()

    async def _hand_over(self, flush: Flush) -> None:
        is_large = flush.batch.size() > LARGE_BYTES
        large = self._way.large
        if is_large:
            await large.acquire()
        try:
            handed = self._handed = await self._way.producer().send_batch(
                flush.batch, self._place.topic, partition=self._place.partition
            )
        except BaseException:
            if is_large:
                large.release()
            raise
        if is_large:
            handed.add_done_callback(lambda _: large.release())
        if self._way.ack_timeout_seconds is None:
            await self._acknowledged(handed)
        await all_done([handed])  # aiokafka keeps the batch after our timeout.

    async def _acknowledged(self, handed: "asyncio.Future[Any]") -> None:
        """Wait as long as it takes; log if that is long."""
        while not handed.done():
            await asyncio.wait([handed], timeout=SLOW_SECONDS)
            if not handed.done():
                self._way.outage.failed(self._place, "no acknowledgement comes")

    async def _settle(self, last: "asyncio.Future[Any]") -> None:
        """Wait for the result of the batch before; if it failed for good, start a new epoch."""
        if not last.done():  # It was not acknowledged in time, and may still be.
            await asyncio.wait([last])
        self._handed = None
        if last.exception() is not None and not self._numbering.restart():
            self._way.replace_producer()

    def _refused(self, flush: Flush, error: KafkaError) -> None:
        """The batch is too large for the topic, and so is its record, if it has only one."""
        size, records = flush.batch.size(), flush.batch.record_count()
        self._way.sizes.refused(self._place.topic, size, records)
        if records == 1:
            _fail(flush, TooLargeForKafka(self._place.topic, size))
        else:
            _fail(flush, NotStored(f"a batch of {size} bytes: {error}"))

    def _say_failed(self, error: Exception) -> None:
        if not isinstance(error, KafkaError | OSError | TimeoutError | NotStored):
            log.warning("write to Kafka failed unexpectedly", error=repr(error))
        self._way.outage.failed(self._place, repr(error))

    def fail(self, error: NotStored) -> None:
        waiting, self._waiting = self._waiting, []
        for flush in waiting:
            _fail(flush, error)

    async def drain(self) -> None:
        if self._task is not None:
            await asyncio.wait([self._task])


def _fail(flush: Flush, error: NotStored) -> None:
    if not flush.stored.done():
        flush.stored.set_exception(error)
