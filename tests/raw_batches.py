"""Kafka's record batches, byte by byte: with what no client library writes."""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cramjam
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.record.util import calc_crc32c

CODECS: Mapping[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (0, bytes),
    "gzip": (1, gzip_encode),
    "snappy": (2, snappy_encode),
    "raw snappy": (2, lambda data: bytes(cramjam.snappy.compress_raw(data))),
    "lz4": (3, lz4_encode),
    "zstd": (4, zstd_encode),
    # The first frame states its own size only.
    "zstd in two frames": (4, lambda data: zstd_encode(data[:9]) + zstd_encode(data[9:])),
}

TRANSACTIONAL, CONTROL = 0x10, 0x20  # Flags of a batch.


@dataclass(frozen=True, slots=True)
class Raw:
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[bytes, bytes | None]] = ()
    delta: int | None = None  # Of its offset, if it is not to be its place in the batch.
    length: int | None = None  # That it states, if it is not to be the right one.


def batch(
    records: Sequence[Raw],
    codec: str = "none",
    *,
    base_offset: int = 0,
    timestamp: int = 0,
    count: int | None = None,
    span: int | None = None,
    flags: int = 0,
    producer: int = -1,
    epoch: int = -1,
) -> bytes:
    """A batch of magic 2, with a right CRC; it may state another number of records or offsets."""
    number, encode = CODECS[codec]
    payload = b"".join(_record(delta, one) for delta, one in enumerate(records))
    stated = len(records) if count is None else count
    last = (len(records) if span is None else span) - 1
    checked = struct.pack(
        ">hiqqqhii", number | flags, last, timestamp, timestamp, producer, -1, -1, stated
    ) + encode(payload)
    body = struct.pack(">ibI", epoch, 2, calc_crc32c(checked)) + checked
    return struct.pack(">qi", base_offset, len(body)) + body


def _record(delta: int, one: Raw) -> bytes:
    headers = [_sized(name) + _sized(value) for name, value in one.headers]
    delta = delta if one.delta is None else one.delta
    body = b"\0" + _varint(0) + _varint(delta) + _sized(one.key) + _sized(one.value)
    body += _varint(len(headers)) + b"".join(headers)
    return _varint(len(body) if one.length is None else one.length) + body


def _sized(data: bytes | None) -> bytes:
    return _varint(-1) if data is None else _varint(len(data)) + data


def _varint(value: int) -> bytes:
    value = (value << 1) ^ (value >> 63)
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
