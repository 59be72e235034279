"""A batch while it is filled, and how its writers wait for it."""

import asyncio
from collections.abc import Collection
from typing import Any

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
    """A batch being filled, and the futures of its writers."""

    __slots__ = ("batch", "stored")

    def __init__(self, batch: OpenBatch) -> None:
        self.batch = batch
        self.stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Without this, asyncio logs failures that no writer waits for.
        self.stored.add_done_callback(retrieved)

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


async def all_done(futures: "Collection[asyncio.Future[Any]]") -> None:
    """Wait for all, then raise what one of them failed with, if one did.

    Others wait for them, too: a task that is cancelled must not cancel them. `asyncio.wait` takes
    twice the time, and so does `asyncio.shield` of one.
    """
    done = asyncio.get_running_loop().create_future()
    left = len(futures)

    def one_is_done(_: "asyncio.Future[Any]") -> None:
        nonlocal left
        left -= 1
        if not left and not done.done():
            done.set_result(None)

    for future in futures:
        future.add_done_callback(one_is_done)
    await done
    for future in futures:
        future.result()


def retrieved(future: "asyncio.Future[Any]") -> None:
    if not future.cancelled():
        future.exception()
