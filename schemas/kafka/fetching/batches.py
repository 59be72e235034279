"""The batches of a fetch, parsed a piece at a time, whatever a producer put into them.

aiokafka's own parser refuses a header whose name is not UTF-8, and decompresses a batch at once: 1
MB may become gigabytes. Here a large batch is decompressed in pieces, and aiokafka's parser reads
each as a batch of its own; a piece that it refuses is parsed by our own parser (`pieces`).
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, TypeAlias

from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch

from schemas.kafka.fetching.codecs import decompressed, expanded_max
from schemas.kafka.fetching.pieces import Parsed, Piece, parsed, pieces
from schemas.kafka.timestamps import NO_TIMESTAMP

AT_ONCE_BYTES_MAX = 4_000_000  # Decompressed; a batch that cannot exceed it is not cut.

# kafka.apache.org/documentation/#recordbatch. Message sets (magic 0, 1) begin the same way.
_FRAME = struct.Struct(">qi")
FRAME_BYTES = _FRAME.size
HEADER_BYTES = 61
LENGTH_AT, EPOCH_AT, MAGIC_AT, COUNT_AT = 8, 12, 16, 57
ATTRIBUTES_AT = 22  # Their lower byte.
CODEC_MASK = 0x07
OURS_FROM = 2  # The magic of record batches; below are the message sets of old brokers.
MESSAGE_BYTES_MIN = 26  # The shortest message set.

MayHave: TypeAlias = Callable[[bytes], bool]
"""Whether some records, as Kafka has them, may have one among them that is looked for."""


class Batches:
    """The bytes of a fetch, as batches; used in place of aiokafka's `MemoryRecords`."""

    def __init__(self, data: bytes, may_have: MayHave | None = None) -> None:
        """With `may_have`, batches that have nothing that is looked for may be passed over."""
        self._data = memoryview(data)
        self._may_have = may_have
        self._at = 0  # Where the next batch begins.
        self._batch = self._data[:0]  # Where the last returned batch begins.
        self._again: Pieces | None = None
        self._is_second = False  # The last batch was returned a second time.

    @property
    def epoch(self) -> int | None:
        """Of the leader that wrote the next batch; None of an old message set."""
        return epoch_of(self._data[self._at :])

    @property
    def is_of_one_leader(self) -> bool:
        """Whether the leader that wrote the next batch also wrote the last returned one."""
        is_first = len(self._batch) == 0 or self._again is not None
        return is_first or self.epoch in (epoch_of(self._batch), None)

    def size_in_bytes(self) -> int:
        return len(self._data)

    def has_next(self) -> bool:
        """Kafka may cut off the last batch, but not the first: then the length is wrong."""
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

    def parts(self, batch: Any) -> Iterator[Iterable[Any]]:  # noqa: ANN401  As above.
        """Its records, in parts; none of a batch that is passed over."""
        if isinstance(batch, Pieces):
            return batch.parts()
        if self._may_have is None or isinstance(batch, Messages):
            return iter((batch,))
        # This takes a tenth of the time of parsing the records.
        codec = self._batch[ATTRIBUTES_AT] & CODEC_MASK
        most = max(AT_ONCE_BYTES_MAX, len(self._batch))
        data = decompressed(codec, self._batch[HEADER_BYTES:]).read(most + 1)
        if len(data) > most:  # More than its producer stated: the rest may have it.
            return iter((batch,))
        if not self._may_have(data):
            return iter(())
        return iter((DefaultRecordBatch(as_batch(self._batch, data, count_of(self._batch))),))

    def try_again(self) -> bool:
        """Return the last batch again, parsed in the other way; whether there is one."""
        if self._is_second or len(self._batch) < HEADER_BYTES or self._batch[MAGIC_AT] < OURS_FROM:
            return False
        self._is_second = True
        self._again = Pieces(self._batch)
        return True

    def batch_end(self, offset: int) -> int:
        """The end of the batch that cannot be read from this offset on, as far as known."""
        if len(self._batch) >= HEADER_BYTES and self._batch[MAGIC_AT] >= OURS_FROM:
            return max(offset + 1, int(DefaultRecordBatch(self._batch).next_offset))
        return offset + 1

    def _whole(self, left: int) -> int:
        """The length of the next batch; 0 if it is not complete."""
        if left < FRAME_BYTES:
            return 0
        length = FRAME_BYTES + int(_FRAME.unpack_from(self._data, self._at)[1])
        is_old = left > MAGIC_AT and self._data[self._at + MAGIC_AT] < OURS_FROM
        return length if (MESSAGE_BYTES_MIN if is_old else HEADER_BYTES) <= length <= left else 0


def epoch_of(batch: memoryview) -> int | None:
    if len(batch) < HEADER_BYTES or batch[MAGIC_AT] < OURS_FROM:
        return None
    return int.from_bytes(batch[EPOCH_AT : EPOCH_AT + 4], signed=True)


def records_of(batch: bytes) -> Iterable[Any]:
    """All records of one batch, even if a header's name is not UTF-8; of a large one in pieces."""
    content = Batches(batch)
    found = content.next_batch()
    if isinstance(found, Pieces):
        return found
    try:
        return list(found)
    except (UnicodeDecodeError, CorruptRecordException):
        content.try_again()
        return list(content.next_batch())


class Messages:
    """A message set of an old producer, of which a record may have no time."""

    is_control_batch = is_transactional = False
    producer_id = None

    def __init__(self, batch: memoryview) -> None:
        self._parsed = LegacyRecordBatch(batch, batch[MAGIC_AT])
        self.base_offset = 0  # It says its last offset only.
        self.next_offset: int = self._parsed.next_offset

    def validate_crc(self) -> bool:
        return bool(self._parsed.validate_crc())

    def __iter__(self) -> Iterator[Parsed]:
        for one in self._parsed:
            time = NO_TIMESTAMP if one.timestamp is None else one.timestamp
            yield Parsed(one.offset, time, one.timestamp_type, one.key, one.value, [])


class Pieces:
    """A batch that is decompressed and parsed in pieces, with the interface of aiokafka's."""

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

    def __iter__(self) -> Iterator[Any]:  # aiokafka's records have no type in common.
        return chain.from_iterable(self.parts())

    def parts(self) -> Iterator[Iterable[Any]]:
        """The records of each piece; the next is decompressed when it is asked for."""
        codec = self._batch[ATTRIBUTES_AT] & CODEC_MASK
        content = decompressed(codec, self._batch[HEADER_BYTES:])
        for piece in pieces(content, count_of(self._batch)):
            yield self._records_of(piece)

    def _records_of(self, piece: Piece) -> Iterable[Any]:
        try:
            return list(DefaultRecordBatch(as_batch(self._batch, piece.data, piece.records)))
        except (UnicodeDecodeError, CorruptRecordException):
            return parsed(self._parsed, piece)


def count_of(batch: memoryview) -> int:
    """How many records it states to have."""
    return int.from_bytes(batch[COUNT_AT : COUNT_AT + 4], signed=True)


def as_batch(batch: memoryview, data: bytes, records: int) -> bytes:
    """These records of a batch, decompressed, as a batch of their own."""
    header = bytearray(batch[:HEADER_BYTES])
    header[ATTRIBUTES_AT] &= ~CODEC_MASK & 0xFF
    struct.pack_into(">i", header, LENGTH_AT, HEADER_BYTES - FRAME_BYTES + len(data))
    struct.pack_into(">i", header, COUNT_AT, records)
    return bytes(header) + data
