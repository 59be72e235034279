"""Looks for bytes in what Kafka answers to a fetch, before any record is decoded. Pure.

Theory of operation: an answer is a sequence of batches, each with a header. Decoding a record costs
microseconds; decompressing a batch and searching its bytes costs a hundredth of that a record. So
only batches that contain one of the wanted strings are decoded.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode

from schemas.kafka.fetching.batches import AT_ONCE_BYTES_MAX, records_of
from schemas.kafka.fetching.codecs import Stream, decompressed, expanded_max
from schemas.kafka.fetching.pieces import PIECE_BYTES
from schemas.records import Headers, Stored

# The header of a batch in format 2, as every Kafka since 0.11 writes it: base offset, length,
# leader epoch, magic, checksum, attributes, last offset delta, base and greatest timestamp, the
# producer's id and epoch, base sequence, count of records.
HEADER = struct.Struct(">qiibIhiqqqhii")
LENGTH_END = 12  # The length counts what comes after it.
CODECS = {1: gzip_decode, 2: snappy_decode, 3: lz4_decode, 4: zstd_decode}
CODEC_MASK = 0x07
TRANSACTION_MASK = 0x10
CONTROL_MASK = 0x20
FOUND_BYTES_MAX = 64_000_000  # Of the records that are passed on at once.
ABORT = b"\x00\x00\x00\x00"  # The key of a marker: version 0, type 0.


@dataclass(frozen=True, slots=True)
class Wanted:
    """The records to find: all of some time, or those that contain one of the strings."""

    needles: Sequence[bytes] = ()
    since_ms: int | None = None
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """One whole batch, and the fields of its header."""

    content: memoryview
    offset: int
    next_offset: int
    codec: int
    is_control: bool
    is_transactional: bool
    producer_id: int
    greatest_timestamp: int

    def may_hold(self, wanted: Wanted) -> bool:
        """False only if none of its records can be wanted."""
        if self.is_control:
            return False
        if wanted.since_ms is not None and self.greatest_timestamp < wanted.since_ms:
            return False
        if not wanted.needles:
            return True
        packed = self.content[HEADER.size :]
        if expanded_max(self.codec, packed) > AT_ONCE_BYTES_MAX:  # 1 MB may become gigabytes.
            return _are_in(decompressed(self.codec, packed), wanted.needles)
        records = CODECS[self.codec](bytes(packed)) if self.codec else bytes(packed)
        return any(needle in records for needle in wanted.needles)


def _are_in(stream: Stream, needles: Sequence[bytes]) -> bool:
    """Whether one of them is in it, read a piece at a time."""
    overlap, rest = max(map(len, needles)) - 1, b""
    while read := stream.read(PIECE_BYTES):
        piece = rest + read
        if any(needle in piece for needle in needles):
            return True
        rest = piece[len(piece) - overlap :]
    return False


def batches(answer: bytes) -> Iterator[Batch]:
    """All whole batches of an answer; Kafka may cut off the last one."""
    view = memoryview(answer)
    position = 0
    while position + HEADER.size <= len(view):
        base, length, _, magic, _, attributes, last, _, greatest, producer_id, *_ = (
            HEADER.unpack_from(view, position)
        )
        assert magic == 2, f"a batch of format {magic}: no Kafka since 4.0 stores it"
        end = position + LENGTH_END + length
        if end > len(view):
            return
        yield Batch(
            view[position:end],
            base,
            base + last + 1,
            attributes & CODEC_MASK,
            bool(attributes & CONTROL_MASK),
            bool(attributes & TRANSACTION_MASK),
            producer_id,
            greatest,
        )
        position = end


@dataclass(frozen=True, slots=True)
class Answer:
    """What a broker answers to a fetch of committed records."""

    batches: bytes = b""
    aborted: Sequence[tuple[int, int]] = ()  # Producer ids, and where their transactions begin.


def judged_batches(answer: Answer) -> Iterator[tuple[Batch, bool]]:
    """All batches, each with whether it counts: those of transactions that were aborted do not."""
    aborted = sorted(answer.aborted, key=lambda one: one[1], reverse=True)
    aborting: set[int] = set()
    for batch in batches(answer.batches):
        while aborted and aborted[-1][1] <= batch.offset:
            aborting.add(aborted.pop()[0])
        is_aborted = batch.producer_id in aborting and batch.is_transactional
        # Compaction may leave a control batch empty.
        markers = _records(batch, "", 0) if is_aborted and batch.is_control else ()
        if any(one.key == ABORT for one in markers):
            aborting.discard(batch.producer_id)
        yield batch, not is_aborted or batch.is_control


def search(
    answer: Answer, topic: str, partition: int, start: int, wanted: Wanted
) -> tuple[list[Stored], int]:
    """The committed records that may be wanted, from `start` on, and where to read on: perhaps
    inside a batch, if these are many bytes.

    Records without the string may be among them, if their batch has it.
    """
    found: list[Stored] = []
    next_offset, size = start, 0
    for batch, is_committed in judged_batches(answer):
        for record in (
            _records(batch, topic, partition) if is_committed and batch.may_hold(wanted) else ()
        ):
            if record.offset < start or not _is_in_time(record.timestamp, wanted):
                continue
            found.append(record)
            size += len(record.value or b"")
            if size > FOUND_BYTES_MAX:
                return found, record.offset + 1
        next_offset = batch.next_offset  # Also of an answer that has only what was aborted.
    return found, next_offset


def _records(batch: Batch, topic: str, partition: int) -> Iterator[Stored]:
    headers: object = None
    shared: Headers = ()
    for one in records_of(bytes(batch.content)):
        # Most have the same, and containers by the thousand keep the collector busy.
        if (own := one.headers) != headers:
            # Kafka allows a header without a value; all ours have one.
            headers, shared = own, tuple((name, value or b"") for name, value in own)
        yield Stored(topic, partition, one.offset, one.timestamp, one.key, one.value, shared)


def _is_in_time(timestamp: int, wanted: Wanted) -> bool:
    if wanted.since_ms is not None and timestamp < wanted.since_ms:
        return False
    return wanted.until_ms is None or timestamp < wanted.until_ms
