"""Writing to one partition: batches that writers share, sent one after the other."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import structlog
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from schemas.deadline import Deadline
from schemas.kafka.flushes import Flush, OpenBatch
from schemas.kafka.numbering import Numbering
from schemas.kafka.waiting_batches import WaitingBatch, WaitingBatches
from schemas.kafka.way import Way
from schemas.records import Appendable, TopicPartition

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


class Lane:
    """One partition: the batches that wait, in order; the first is being sent.

    At most one batch is with aiokafka, and none follows before its result is known: that decides
    whether the sequence numbers go on or start again. All steps are callbacks: as a task for each
    batch, with the futures that it awaits, they took 6 µs more a batch.
    """

    def __init__(self, way: Way, place: TopicPartition, *, is_strict: bool = False) -> None:
        """If `is_strict`, records behind one that is too large fail with it."""
        self._way = way
        self._place = place
        self._is_strict = is_strict
        self._numbering = Numbering()
        self._handed: WaitingBatch | None = None  # The last one whose result decides on the next.
        self._acknowledgement = Deadline(asyncio.get_running_loop(), self._late)
        self._waiting: list[Flush] = []
        self._is_sending = False
        self._asking: asyncio.Task[None] | None = None
        self._has_turn = False  # Of sending a large batch.

    def add(self, record: Appendable, now_ms: int) -> Flush:
        """Append the record to the queue; returns the batch it is in."""
        flush = self._waiting[-1] if self._waiting else self._begin()
        if not flush.batch.add(record, now_ms):
            flush = self._begin_with(record, now_ms)
        if not self._is_sending:
            self._send_first()
        return flush

    def add_all(self, records: Sequence[Appendable], now_ms: int) -> list[Flush]:
        """The same of several; returns the batches they are in."""
        flush = self._waiting[-1] if self._waiting else self._begin()
        added = flush.batch.add_all(records, now_ms)
        filled = [flush] if added else []
        while added < len(records):
            flush = self._begin_with(records[added], now_ms)
            filled.append(flush)
            added += 1 + flush.batch.add_all(records[added + 1 :], now_ms)
        if not self._is_sending:
            self._send_first()
        return filled

    def _begin_with(self, record: Appendable, now_ms: int) -> Flush:
        flush = self._begin()
        if not flush.batch.add(record, now_ms):  # The first of a batch always fits.
            raise AssertionError("an empty batch refused a record")
        return flush

    def _begin(self) -> Flush:
        self._way.producer()  # Raises `NotStored` while there is none.
        size = self._way.sizes.of(self._place.topic).batch
        flush = Flush(OpenBatch(size, self._way.compression.codec, self._numbering))
        self._waiting.append(flush)
        return flush

    def _send_first(self) -> None:
        """Send the first that waits; `_end` follows, at once or later."""
        flush = self._waiting[0]
        self._is_sending = True
        self._acknowledgement.set(self._way.ack_timeout_seconds or SLOW_SECONDS)
        if self._handed is None or self._handed.is_over:
            self._follow(flush)
        else:  # It was not acknowledged in time, and may still be.
            self._handed.told = partial(self._follow, flush)

    def _follow(self, flush: Flush, _: object = None) -> None:
        """Send it, as the result of the one before is known; if that failed for good, in a new
        epoch."""
        if not self._is_first(flush):
            return
        last, self._handed = self._handed, None
        if last is not None and last.error is not None and not self._numbering.restart():
            self._way.replace_producer()
        if flush.batch.size > LARGE_BYTES:
            self._way.large.begin(partial(self._hand_over_large, flush))
        else:
            self._hand_over(flush)

    def _hand_over_large(self, flush: Flush) -> None:
        if self._is_first(flush):
            self._has_turn = True
            self._hand_over(flush)
        else:
            self._way.large.over()

    def _hand_over(self, flush: Flush) -> None:
        try:
            producer = self._way.producer()
            if producer.client.cluster.leader_for_partition(self._place) is None:
                self._asking = asyncio.create_task(self._ask(producer, flush))
            else:
                self._give(producer, flush)
        except Exception as error:  # noqa: BLE001  Whatever it was: nothing was acknowledged.
            self._failed(flush, error)

    async def _ask(self, producer: Any, flush: Flush) -> None:  # noqa: ANN401  aiokafka has no types.
        """Have aiokafka learn the topic's partitions, then hand the batch over."""
        try:
            partitions = await producer.partitions_for(self._place.topic)
            self._asking = None
            if self._place.partition not in partitions:
                raise NotStored("there is no such partition")
            self._give(producer, flush)
        except Exception as error:  # noqa: BLE001  As above.
            self._asking = None
            self._failed(flush, error)

    def _give(self, producer: Any, flush: Flush) -> None:  # noqa: ANN401  aiokafka has no types.
        """As aiokafka's `send_batch`, of which a coroutine and two futures are not needed here."""
        batches: WaitingBatches = producer._message_accumulator  # noqa: SLF001
        if batches.has_ended:
            raise NotStored("the producer ended")
        told = partial(self._answered, flush)
        self._handed = handed = batches.add(flush.batch, self._place, told)
        if self._has_turn:
            self._has_turn = False
            handed.future.add_done_callback(self._way.large.over)

    def _answered(self, flush: Flush, error: BaseException | None) -> None:
        if not self._is_first(flush):
            return  # It was late.
        if error is not None:
            self._failed(flush, error)
            return
        self._handed = None  # Its result is known.
        self._way.outage.stored(self._place)
        self._end(flush, None)

    def _late(self) -> None:
        if self._way.ack_timeout_seconds is None:
            self._way.outage.failed(self._place, "no acknowledgement comes")
            self._acknowledgement.set(SLOW_SECONDS)
        else:
            self._failed(self._waiting[0], TimeoutError())

    def _is_first(self, flush: Flush) -> bool:
        """Whether it is being sent: it may have failed meanwhile."""
        return bool(self._waiting) and self._waiting[0] is flush

    def _failed(self, flush: Flush, error: BaseException) -> None:
        if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
            self._end(flush, self._refused(flush, error), is_up=not self._is_strict)
            return
        if self._way.compression.is_refused(flush.batch.codec, error):
            flush.batch = flush.batch.compressed_as(self._way.compression.codec)
            self._send_first()
            return
        if self._way.timestamps.are_refused(error, is_timed=flush.batch.is_timed):
            flush.batch = flush.batch.untimed()
            self._send_first()
            return
        self._say_failed(error)
        failure = NotStored(str(error) or type(error).__name__)
        failure.__cause__ = error
        self._end(flush, failure, is_up=False)

    def _end(self, flush: Flush, error: NotStored | None, *, is_up: bool = True) -> None:
        """The first has ended; those behind it fail, too, if Kafka does not answer."""
        assert self._is_first(flush), "a batch ended that was not being sent"
        del self._waiting[0]
        flush.batch.close()
        self._acknowledgement.clear()
        if self._asking is not None:
            self._asking.cancel()
        if self._has_turn:
            self._has_turn = False
            self._way.large.over()
        flush.end(error)
        if not is_up:
            behind, self._waiting = self._waiting, []
            for other in behind:
                other.batch.close()
                other.end(NotStored("Kafka does not acknowledge"))
        if self._waiting:
            self._send_first()
        else:
            self._is_sending = False

    def _refused(self, flush: Flush, error: KafkaError) -> NotStored:
        """The batch is too large for the topic, and so is its record, if it has only one."""
        size, records = flush.batch.size, flush.batch.records
        self._way.sizes.refused(self._place.topic, size, records)
        if records == 1:
            return TooLargeForKafka(self._place.topic, size)
        return NotStored(f"a batch of {size} bytes: {error}")

    def _say_failed(self, error: BaseException) -> None:
        if not isinstance(error, KafkaError | OSError | TimeoutError | NotStored):
            log.warning("write to Kafka failed unexpectedly", error=repr(error))
        self._way.outage.failed(self._place, repr(error))

    async def drain(self) -> None:
        while self._waiting:
            await asyncio.wait([flush.stored for flush in self._waiting])
