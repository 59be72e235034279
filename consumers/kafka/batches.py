"""The batches of a fetch, parsed whatever a producer put into them, and a piece at a time.

aiokafka's own parser refuses a header whose name is not UTF-8, and decompresses a batch at once:
1 MB may become gigabytes. Here a large batch is decompressed in pieces, each of which goes through
aiokafka's parser as a batch of its own; what that refuses is parsed again below, byte by byte.
"""

import struct
from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch

from consumers.kafka.codecs import decompressed, expanded_max
from consumers.kafka.pieces import Parsed, Piece, parsed, pieces

AT_ONCE_BYTES_MAX = 4_000_000  # Decompressed; a batch that cannot exceed it is not cut.

# kafka.apache.org/documentation/#recordbatch. Message sets (magic 0, 1) begin alike.
_FRAME = struct.Struct(">qi")
FRAME_BYTES = _FRAME.size
HEADER_BYTES = 61
LENGTH_AT, MAGIC_AT, ATTRIBUTES_AT, COUNT_AT = 8, 16, 22, 57  # Of the attributes the lower byte.
CODEC_MASK = 0x07
OURS_FROM = 2  # The magic of record batches; below are the message sets of old brokers.
NO_TIMESTAMP = -1  # Kafka's own sign of it.
MESSAGE_BYTES_MIN = 26  # A message set's shortest.


class Batches:
    """Takes the place of aiokafka's `MemoryRecords`: the bytes that a fetch brought."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0  # Of the next batch.
        self._batch = self._data[:0]  # The one that was given last.
        self._again: Pieces | None = None
        self._is_second = False  # The one that was given last was given before.

    def size_in_bytes(self) -> int:
        return len(self._data)

    def has_next(self) -> bool:
        """Kafka cuts off the last batch, but never the first: then its length is wrong."""
        if self._again is not None:
            return True
        left = len(self._data) - self._at
        return left > 0 and (self._at == 0 or self._whole(left) > 0)

    def next_batch(self) -> Any:  # noqa: ANN401  aiokafka's batches have no type in common.
        if self._again is not None:
            again, self._again = self._again, None
            return again
        length = self._whole(len(self._data) - self._at)
        if length == 0:
            self._at = len(self._data)
            raise CorruptRecordException("the length of a batch is wrong")
        batch = self._batch = self._data[self._at : self._at + length]
        self._at += length
        self._is_second = False
        if batch[MAGIC_AT] < OURS_FROM:
            return Messages(batch)
        codec = batch[ATTRIBUTES_AT] & CODEC_MASK
        if codec and expanded_max(codec, batch[HEADER_BYTES:]) > AT_ONCE_BYTES_MAX:
            return Pieces(batch)
        return DefaultRecordBatch(batch)

    def try_again(self) -> bool:
        """Whether the batch that was given last may be readable in another way; it comes next."""
        if self._is_second or len(self._batch) < HEADER_BYTES or self._batch[MAGIC_AT] < OURS_FROM:
            return False
        self._is_second = True
        self._again = Pieces(self._batch)
        return True

    def batch_end(self, offset: int) -> int:
        """Where the batch ends that cannot be read from this offset on, as far as can be known."""
        if len(self._batch) >= HEADER_BYTES and self._batch[MAGIC_AT] >= OURS_FROM:
            return max(offset + 1, int(DefaultRecordBatch(self._batch).next_offset))
        return offset + 1

    def _whole(self, left: int) -> int:
        """The length of the next batch, 0 when it is not all there."""
        if left < FRAME_BYTES:
            return 0
        length = FRAME_BYTES + int(_FRAME.unpack_from(self._data, self._at)[1])
        is_old = left > MAGIC_AT and self._data[self._at + MAGIC_AT] < OURS_FROM
        return length if (MESSAGE_BYTES_MIN if is_old else HEADER_BYTES) <= length <= left else 0


def records_of(batch: bytes) -> list[Any]:
    """All records of one batch, also where a header's name is not UTF-8."""
    content = Batches(batch)
    try:
        return list(content.next_batch())
    except (UnicodeDecodeError, CorruptRecordException):
        content.try_again()
        return list(content.next_batch())


class Messages:
    """A message set of an old producer, of which a record may have no time."""

    is_control_batch = is_transactional = False
    producer_id = None

    def __init__(self, batch: memoryview) -> None:
        self._parsed = LegacyRecordBatch(batch, batch[MAGIC_AT])
        self.next_offset: int = self._parsed.next_offset

    def validate_crc(self) -> bool:
        return bool(self._parsed.validate_crc())

    def __iter__(self) -> Iterator[Parsed]:
        for one in self._parsed:
            time = NO_TIMESTAMP if one.timestamp is None else one.timestamp
            yield Parsed(one.offset, time, one.timestamp_type, one.key, one.value, [])


class Pieces:
    """A batch that is decompressed and parsed in pieces; it looks like one of aiokafka's."""

    def __init__(self, batch: memoryview) -> None:
        self._batch = batch
        self._parsed = parsed = DefaultRecordBatch(batch)
        self.base_offset: int = parsed.base_offset
        self.next_offset: int = parsed.next_offset
        self.producer_id: int = parsed.producer_id
        self.is_control_batch: bool = parsed.is_control_batch
        self.is_transactional: bool = parsed.is_transactional

    def validate_crc(self) -> bool:
        return bool(self._parsed.validate_crc())

    def __next__(self) -> Any:  # noqa: ANN401  aiokafka's records have no type in common.
        """The first record: aiokafka asks a control batch for its only one."""
        return next(iter(self))

    def __iter__(self) -> Iterator[Any]:
        codec = self._batch[ATTRIBUTES_AT] & CODEC_MASK
        (count,) = struct.unpack_from(">i", self._batch, COUNT_AT)
        for piece in pieces(decompressed(codec, self._batch[HEADER_BYTES:]), count):
            yield from self._records_of(piece)

    def _records_of(self, piece: Piece) -> Iterator[Any]:
        given = 0
        try:
            for record in DefaultRecordBatch(self._as_batch(piece)):
                yield record
                given += 1
        except (UnicodeDecodeError, CorruptRecordException):
            yield from islice(parsed(self._parsed, piece), given, None)

    def _as_batch(self, piece: Piece) -> bytes:
        header = bytearray(self._batch[:HEADER_BYTES])
        header[ATTRIBUTES_AT] &= ~CODEC_MASK & 0xFF
        struct.pack_into(">i", header, LENGTH_AT, HEADER_BYTES - FRAME_BYTES + len(piece.data))
        struct.pack_into(">i", header, COUNT_AT, piece.records)
        return bytes(header) + piece.data
