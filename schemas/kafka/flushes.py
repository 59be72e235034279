"""A batch while it is filled, and how its writers wait for it."""

import asyncio

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from schemas.kafka.numbering import Numbering
from schemas.kafka.sizes import RECORD_BYTES
from schemas.records import Headers

Appendable = tuple[bytes | None, bytes | None, Headers]  # As `NewRecord`: key, value, headers.

ATTRIBUTES, CODEC_MASK = slice(21, 23), 0b111  # Of a batch in Kafka's format.


class OpenBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types.
    """A batch that takes records until aiokafka's sender sends it.

    aiokafka has one request a broker in flight: batches that wait meanwhile can grow. So single
    events take half as many requests to Kafka, and a tenth to a quarter less CPU.
    """

    def __init__(self, size: int, compression: int, numbering: Numbering) -> None:
        super().__init__(size, compression)
        self._numbering = numbering

    def add(self, record: Appendable, now_ms: int) -> bool:
        """As `append`, which takes 0.5 µs more a record; returns whether there was room."""
        if self._closed:
            return False
        key, value, headers = record
        added = self._builder.append(
            self._relative_offset,
            now_ms,
            key,
            value,
            headers if type(headers) is list else list(headers),
        )
        if added is None:
            self.close()
            return False
        self._relative_offset += 1
        return True

    def _set_producer_state(self, producer_id: int, *_: int) -> None:
        """aiokafka's own epoch and number are not used, see `numbering`."""
        numbers = self._numbering.take(producer_id, self.record_count())
        super()._set_producer_state(producer_id, *numbers)
        self.close()  # Its size was just computed.

    @property
    def codec(self) -> int:
        """Of the batch as it was sent; 0 before."""
        return 0 if self._buffer is None else int.from_bytes(self._buffer[ATTRIBUTES]) & CODEC_MASK

    def compressed_as(self, codec: int) -> "OpenBatch":
        """Its records, once more; it takes no others."""
        batch = OpenBatch(RECORD_BYTES, codec, self._numbering)
        for one in MemoryRecords(bytes(self._build())).next_batch():
            batch.append(timestamp=one.timestamp, key=one.key, value=one.value, headers=one.headers)
        batch.close()
        return batch


class Flush:
    """A batch being filled, and who waits until it is stored."""

    __slots__ = ("_writes", "batch", "stored")

    def __init__(self, batch: OpenBatch) -> None:
        self.batch = batch
        self.stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writes: list[Write] = []

    def await_by(self, write: "Write") -> None:
        write.left += 1
        if self.stored.done():
            write.one_ended(self.stored.exception())
        else:
            self._writes.append(write)

    def end(self, error: Exception | None) -> None:
        """It is stored, or failed."""
        if not self.stored.done():
            if error is None:
                self.stored.set_result(None)
            else:
                self.stored.set_exception(error)
                self.stored.exception()  # Else asyncio logs failures that nobody waits for.
        for write in self._writes:
            write.one_ended(error)


class Write:
    """One writer, until all batches with its records have ended.

    Others wait for them, too: a task that is cancelled must not cancel them. A future and its
    callbacks for each batch, as `asyncio.wait` has them, take 2 µs more.
    """

    __slots__ = ("all_ended", "error", "left")

    def __init__(self) -> None:
        self.all_ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.error: BaseException | None = None  # Of one of them, if one failed.
        self.left = 0

    def one_ended(self, error: BaseException | None) -> None:
        if error is not None:
            self.error = error
        self.left -= 1
        if not self.left and not self.all_ended.done():
            self.all_ended.set_result(None)
