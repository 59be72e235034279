"""A batch while it is filled, and how its writers wait for it."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from schemas.kafka.numbering import Numbering
from schemas.kafka.sizes import RECORD_BYTES
from schemas.kafka.timestamps import NO_TIMESTAMP
from schemas.records import Appendable, RawRecord

FORMAT = 2  # Of batches, since Kafka 0.11.
ATTRIBUTES, CODEC_MASK = slice(21, 23), 0b111  # Of a batch in Kafka's format.
NEWEST_TIME = slice(35, 43)


class OpenBatch:
    """A batch that takes records until it is numbered or closed.

    aiokafka has one request a broker in flight: batches that wait meanwhile can grow. So single
    events take half as many requests to Kafka, and a tenth to a quarter less CPU. aiokafka's own
    `BatchBuilder` around the same builder takes a dozen calls more.
    """

    __slots__ = ("_builder", "_data", "_is_closed", "_numbering", "records")

    def __init__(self, size: int, codec: int, numbering: Numbering) -> None:
        """`size` is in bytes, before compression; one record always fits."""
        self._builder = DefaultRecordBatchBuilder(FORMAT, codec, 0, -1, -1, 0, size)
        self._data: bytearray | None = None  # As it was sent.
        self._is_closed = False
        self._numbering = numbering
        self.records = 0

    def add(self, record: Appendable, now_ms: int) -> bool:
        """Whether there was room."""
        if self._is_closed:
            return False
        headers = record.headers
        added = self._builder.append(
            self.records,
            now_ms,
            record.key,
            record.value,
            headers if type(headers) is list else list(headers),
        )
        if added is None:
            self._is_closed = True
            return False
        self.records += 1
        return True

    def add_all(self, records: Sequence[Appendable], now_ms: int) -> int:
        """How many of these there was room for: the first ones."""
        if self._is_closed:
            return 0
        append, before, number = self._builder.append, self.records, self.records
        try:
            for record in records:
                headers = record.headers
                if type(headers) is not list:
                    headers = list(headers)
                if append(number, now_ms, record.key, record.value, headers) is None:
                    self._is_closed = True
                    break
                number += 1
        finally:
            self.records = number
        return number - before

    def number(self, producer_id: int) -> None:
        """Give it its number in the partition; it takes no more records, for they are counted."""
        epoch, number = self._numbering.take(producer_id, self.records)
        self._builder.set_producer_state(producer_id, epoch, number)
        self._is_closed = True

    def close(self) -> None:
        self._is_closed = True

    def data(self) -> bytearray:
        """In Kafka's format, compressed."""
        if self._data is None:
            self._is_closed = True
            self._data = self._builder.build()
            self._builder = None  # It can build only once.
        return self._data

    @property
    def size(self) -> int:
        """In bytes; before it is compressed, what it would have without."""
        size: int = self._builder.size() if self._data is None else len(self._data)
        return size

    @property
    def codec(self) -> int:
        """Of the batch as it was sent; 0 before."""
        return 0 if self._data is None else int.from_bytes(self._data[ATTRIBUTES]) & CODEC_MASK

    @property
    def is_timed(self) -> bool:
        """Whether a record of the batch as it was sent has a time."""
        newest = b"" if self._data is None else self._data[NEWEST_TIME]
        return bool(newest) and int.from_bytes(newest, signed=True) != NO_TIMESTAMP

    def compressed_as(self, codec: int) -> "OpenBatch":
        """Its records, once more; it takes no others."""
        return self._again(codec, lambda timestamp: timestamp)

    def untimed(self) -> "OpenBatch":
        """The same, of records without a time."""
        return self._again(self.codec, lambda _: NO_TIMESTAMP)

    def _again(self, codec: int, timed: Callable[[int], int]) -> "OpenBatch":
        batch = OpenBatch(RECORD_BYTES, codec, self._numbering)
        for one in MemoryRecords(bytes(self.data())).next_batch():
            batch.add(RawRecord(one.key, one.value, one.headers), timed(one.timestamp))
        batch.close()
        return batch


class Flush:
    """A batch being filled, and who waits until it is stored."""

    __slots__ = ("_error", "_is_over", "_stored", "_writes", "batch")

    def __init__(self, batch: OpenBatch) -> None:
        self.batch = batch
        self._stored: asyncio.Future[None] | None = None
        self._writes: list[Write] = []
        self._is_over = False
        self._error: Exception | None = None

    @property
    def stored(self) -> "asyncio.Future[None]":
        """For those who are no `Write`."""
        if self._stored is None:
            self._stored = asyncio.get_running_loop().create_future()
            if self._is_over:
                self._settle(self._stored)
        return self._stored

    def await_by(self, write: "Write") -> None:
        write.left += 1
        if self._is_over:
            write.one_ended(self._error)
        else:
            self._writes.append(write)

    def end(self, error: Exception | None) -> None:
        """It is stored, or failed."""
        self._is_over = True
        self._error = error
        if self._stored is not None:
            self._settle(self._stored)
        # Later: what follows from it comes behind the next batches, and may append to this lane.
        if self._writes:
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        for write in self._writes:
            try:
                write.one_ended(self._error)
            except Exception as failure:  # noqa: BLE001  It concerns this writer only.
                context = {"message": "a writer failed", "exception": failure}
                asyncio.get_running_loop().call_exception_handler(context)

    def _settle(self, stored: "asyncio.Future[None]") -> None:
        if self._error is None:
            stored.set_result(None)
        else:
            stored.set_exception(self._error)
            stored.exception()  # Else asyncio logs failures that nobody waits for.


class Write:
    """One writer, until all batches with its records have ended.

    Others wait for them, too: a task that is cancelled must not cancel them. A future and its
    callbacks for each batch, as `asyncio.wait` has them, take 2 µs more.
    """

    __slots__ = ("error", "left", "then")

    def __init__(self) -> None:
        self.error: BaseException | None = None  # Of one of them, if one failed.
        self.left = 0
        # Called once, when all have ended.
        self.then: Callable[[], object] | None = None

    def one_ended(self, error: BaseException | None) -> None:
        if error is not None:
            self.error = error
        self.left -= 1
        then = self.then
        if not self.left and then is not None:
            self.then = None
            then()

    def cancel(self, msg: str | None = None) -> None:
        """Wait no longer: a writer without a task is cancelled as a task is."""
        self.error = asyncio.CancelledError(msg)
        self.left = 0
        then, self.then = self.then, None
        if then is not None:
            asyncio.get_running_loop().call_soon(then)

    async def ended(self) -> None:
        """Return once all have; raises the error of one that failed."""
        if self.left > 0:
            all_ended = asyncio.get_running_loop().create_future()
            self.then = partial(_end, all_ended)
            await all_ended
        if self.error is not None:
            raise self.error


def _end(future: "asyncio.Future[None]") -> None:
    if not future.done():  # Its task was cancelled.
        future.set_result(None)
