"""Writing to one partition: batches that writers share, sent one after the other."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.kafka.numbering import Numbering
from schemas.kafka.outage import Outage
from schemas.kafka.sizes import Sizes
from schemas.records import Headers, TopicPartition

# A request to a broker holds a batch of each partition that has one, and brokers close the
# connection at 100 MB (`socket.request.max.bytes`). So of larger batches one goes at a time.
LARGE_BYTES = 1_000_000
SLOW_SECONDS = 10.0
Appendable = tuple[bytes | None, bytes | None, Headers]  # As `NewRecord`: key, value, headers.
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
    large: asyncio.Semaphore = field(default_factory=asyncio.Semaphore)  # One at a time.


class _OpenBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types.
    """A batch that takes records until aiokafka's sender sends it.

    aiokafka has one request a broker in flight: batches that wait meanwhile can grow. So single
    events take half as many requests to Kafka, and a tenth to a quarter less CPU.
    """

    def __init__(self, size: int, compression: int, numbering: Numbering) -> None:
        super().__init__(size, compression)
        self._numbering = numbering

    def _set_producer_state(self, producer_id: int, *_: int) -> None:
        """aiokafka's own epoch and number are not used, see `numbering`."""
        numbers = self._numbering.take(producer_id, self.record_count())
        super()._set_producer_state(producer_id, *numbers)
        self.close()  # Its size was just computed.


class _Flush:
    """A batch being filled, and the futures of its writers."""

    __slots__ = ("batch", "stored")

    def __init__(self, batch: _OpenBatch) -> None:
        self.batch = batch
        self.stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Without this, asyncio logs failures that no writer waits for.
        self.stored.add_done_callback(_retrieved)

    def append(self, record: Appendable, now_ms: int) -> bool:
        """Append a record; returns whether there was room."""
        key, value, headers = record
        appended = self.batch.append(
            timestamp=now_ms,
            key=key,
            value=value,
            headers=headers if type(headers) is list else list(headers),  # The largest batch.
        )
        return appended is not None


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
        self._waiting: list[_Flush] = []
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

    def _begin(self) -> _Flush:
        accumulator = self._way.producer()._message_accumulator  # noqa: SLF001  It knows the codec.
        size, codec = self._way.sizes.of(self._place.topic).batch, accumulator._compression_type  # noqa: SLF001
        flush = _Flush(_OpenBatch(size, codec, self._numbering))
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

    async def _send(self, flush: _Flush) -> bool:
        """Whether to try the next one."""
        try:
            async with asyncio.timeout(self._way.ack_timeout_seconds):
                if self._handed is not None:
                    await self._settle(self._handed)
                await self._hand_over(flush)
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            self._refused(flush, error)
            return not self._is_strict
        except asyncio.CancelledError:
            _fail(flush, NotStored("the process stops"))
            raise
        except Exception as error:  # noqa: BLE001  Whatever it was: nothing was acknowledged.
            if self._handed is not None:  # If no batch follows, its result is never read.
                self._handed.add_done_callback(_retrieved)
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

    async def _hand_over(self, flush: _Flush) -> None:
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
        # Shielded: aiokafka keeps the batch after our timeout, and its result matters.
        await asyncio.shield(handed)

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

    def _refused(self, flush: _Flush, error: KafkaError) -> None:
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


def _retrieved(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()


def _fail(flush: _Flush, error: NotStored) -> None:
    if not flush.stored.done():
        flush.stored.set_exception(error)
