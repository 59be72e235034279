"""The records of a decompressed batch, in pieces, parsed by our own parser."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from aiokafka.errors import CorruptRecordException

from schemas.kafka.fetching.codecs import Stream

PIECE_BYTES = 1_000_000
RECORD_BYTES_MAX = 32_000_000  # A longer record is read up to here.
VARINT_BITS_MAX = 63
TIME_IS_OF_THE_LOG = 1  # A batch's `timestamp_type`.
WRONG_LENGTH = "a record has not the length that it states"


class Parsed(NamedTuple):
    """A record with the fields of aiokafka's parser."""

    offset: int
    timestamp: int
    timestamp_type: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


class Piece(NamedTuple):
    """Whole records, decompressed."""

    data: bytes
    records: int
    is_cut: bool = False  # The piece is the beginning of one record longer than `RECORD_BYTES_MAX`.


def pieces(stream: Stream, count: int) -> Iterator[Piece]:
    """The records in pieces of about 1 MB; raises if there are more bytes than they have."""
    rest, wanted = b"", PIECE_BYTES
    while count > 0:
        read = stream.read(wanted)
        data = rest + read
        if len(read) < wanted:
            yield Piece(data, count)
            return
        records, end = _whole_records(data, count)
        if records > 0:
            yield Piece(data[:end], records)
        count, rest = count - records, data[end:]
        missing = _end_of_record(rest, 0) - len(rest)
        if missing > RECORD_BYTES_MAX and count > 0:
            begun = stream.read(RECORD_BYTES_MAX)
            if len(begun) < RECORD_BYTES_MAX:
                raise CorruptRecordException(WRONG_LENGTH)
            yield Piece(rest + begun, 1, is_cut=True)
            _skip(stream, missing - RECORD_BYTES_MAX)
            count, rest, missing = count - 1, b"", 0
        wanted = max(PIECE_BYTES, missing)
    if rest or stream.read(1):
        raise CorruptRecordException("a batch has more than the records that it states")


def parsed(batch: Any, piece: Piece) -> Iterator[Parsed]:  # noqa: ANN401  aiokafka's.
    """The records of a piece; in a header's name, bytes that are not UTF-8 are replaced."""
    at = 0
    for _ in range(piece.records):
        record, at = _record(batch, piece, at)
        yield record
    if at < len(piece.data) and not piece.is_cut:
        raise CorruptRecordException("a batch has more than the records that it states")


def _record(batch: Any, piece: Piece, at: int) -> tuple[Parsed, int]:  # noqa: ANN401  See above.
    data = piece.data
    try:
        length, at = _varint(data, at)
        end = at + length
        _, at = _varint(data, at)  # The attributes, always 0.
        later, at = _varint(data, at)
        offset, at = _varint(data, at)
        key, at = _bytes(data, at)
        value, at = _bytes(data, at)
        headers: list[tuple[str, bytes | None]] = []
        if not piece.is_cut:
            count, at = _varint(data, at)
            for _ in range(count):
                name, at = _bytes(data, at)
                content, at = _bytes(data, at)
                headers.append(((name or b"").decode(errors="backslashreplace"), content))
    except IndexError as error:
        raise CorruptRecordException(f"a record cannot be parsed: {error!r}") from error
    if not piece.is_cut and (at != end or end > len(data)):
        raise CorruptRecordException(WRONG_LENGTH)
    is_log_time = batch.timestamp_type == TIME_IS_OF_THE_LOG
    timestamp = batch.max_timestamp if is_log_time else batch.first_timestamp + later
    offset += batch.base_offset
    return Parsed(offset, timestamp, batch.timestamp_type, key, value, headers), end


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = _varint(data, at)
    return (None, at) if length < 0 else (data[at : at + length], at + length)


def _whole_records(data: bytes, records_max: int) -> tuple[int, int]:
    """How many whole records the data begins with, and where they end."""
    end = 0
    for records in range(records_max):
        following = _end_of_record(data, end)
        if following > len(data):
            return records, end
        end = following
    return records_max, end


def _end_of_record(data: bytes, at: int) -> int:
    """Where the record that begins here ends; past the data, if its length is not complete."""
    try:
        length, at = _varint(data, at)
    except IndexError:
        return len(data) + 1
    return at + max(length, 0)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Kafka's varint: seven bits a byte, zigzag. aiokafka's does not check where the data ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        shift += 7
        if shift > VARINT_BITS_MAX:
            raise CorruptRecordException("a number is too long")


def _skip(stream: Stream, size: int) -> None:
    while size > 0:
        read = stream.read(min(size, PIECE_BYTES))
        if not read:
            raise CorruptRecordException(WRONG_LENGTH)
        size -= len(read)
