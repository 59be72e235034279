"""Decompress a batch in pieces: 1 MB may become gigabytes."""

import gzip
import io
import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self

import cramjam
import zstandard

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
ZSTD_BLOCK_MAX = 131_072  # Bytes that a block becomes.
# The most that a byte can become, by format; a run-length block of zstd has one.
EXPANSION = {GZIP: 1032, SNAPPY: 22, LZ4: 255, ZSTD: ZSTD_BLOCK_MAX}
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZSTD_RUN = 1  # The type of a block that is one byte, repeated.
ZSTD_WINDOW_MAX = 1 << 27  # zstd's own default; a frame may need so much memory.
XERIAL = b"\x82SNAPPY\x00"  # Java's framing of snappy: blocks with their length before them.
XERIAL_HEADER_BYTES = 16
LZ4_MAGIC = 0x184D2204
LZ4_HEADER_BYTES = 7
LZ4_IS_INDEPENDENT, LZ4_IS_PLAIN = 0x20, 0x8000_0000
LZ4_HAS_SUMS, LZ4_HAS_SIZE, LZ4_HAS_DICTIONARY = 0x10, 0x08, 0x01


class Stream(Protocol):
    def read(self, size: int, /) -> bytes:
        """Read `size` bytes; fewer only at the end."""


def expanded_max(codec: int, data: memoryview) -> int:
    """The most bytes that the data can have once decompressed."""
    if codec == ZSTD:
        return _zstd_expanded_max(data)
    if codec == LZ4:
        return _lz4_expanded_max(data)
    return len(data) * EXPANSION.get(codec, 1)


def decompressed(codec: int, data: memoryview) -> Stream:
    """A stream of the decompressed bytes; `ValueError` for a codec that Kafka does not have."""
    match codec:
        case 0:
            return io.BytesIO(data)
        case 1:
            return gzip.GzipFile(fileobj=io.BytesIO(data))
        case 2:
            return _snappy(data)
        case 3:
            return _lz4(data)
        case 4:
            decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_MAX)
            return decompressor.stream_reader(data, read_across_frames=True)
    raise ValueError(f"no codec of Kafka has the number {codec}")


class _Blocks:
    """A sequence of blocks as a stream."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        found, length = [self._rest], len(self._rest)
        while length < size and (block := next(self._blocks, None)) is not None:
            found.append(block)
            length += len(block)
        whole = b"".join(found)
        self._rest = whole[size:]
        return whole[:size]


def _snappy(data: memoryview) -> Stream:
    if data[: len(XERIAL)] != XERIAL:
        return io.BytesIO(bytes(cramjam.snappy.decompress_raw(data)))
    return _Blocks(_xerial_blocks(data))


def _xerial_blocks(data: memoryview) -> Iterator[bytes]:
    at = XERIAL_HEADER_BYTES
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        at += 4
        yield bytes(cramjam.snappy.decompress_raw(data[at : at + length]))
        at += length


def _zstd_expanded_max(data: memoryview) -> int:
    """By the number of its blocks: the size that a frame states may be a lie, and says nothing of
    frames behind it.
    """
    at = expanded = 0
    while at < len(data):
        if data[at : at + len(ZSTD_MAGIC)] != ZSTD_MAGIC:
            return len(data) * EXPANSION[ZSTD]
        try:
            header = zstandard.get_frame_parameters(data[at:])
            at += zstandard.frame_header_size(data[at:])
        except zstandard.ZstdError:
            return len(data) * EXPANSION[ZSTD]
        is_last = False
        while not is_last and at < len(data):
            block = int.from_bytes(data[at : at + 3], "little")
            is_last, kind, size = bool(block & 1), block >> 1 & 3, block >> 3
            at += 3 + (1 if kind == ZSTD_RUN else size)
            expanded += ZSTD_BLOCK_MAX
        at += 4 if header.has_checksum else 0
    return expanded


class _Lz4Frame(NamedTuple):
    begins: int  # Its first block.
    block_max: int  # Bytes that a block may become.
    sum_bytes: int  # After each block.
    is_independent: bool  # Its blocks are.

    @classmethod
    def of(cls, data: memoryview) -> Self | None:
        """None for what Kafka's producers do not write."""
        if len(data) < LZ4_HEADER_BYTES:
            return None
        magic, flags, descriptor = struct.unpack_from("<IBB", data)
        if magic != LZ4_MAGIC or flags & LZ4_HAS_DICTIONARY:
            return None
        return cls(
            begins=LZ4_HEADER_BYTES + (8 if flags & LZ4_HAS_SIZE else 0),
            block_max=1 << (8 + 2 * ((descriptor >> 4) & 7)),
            sum_bytes=4 if flags & LZ4_HAS_SUMS else 0,
            is_independent=bool(flags & LZ4_IS_INDEPENDENT),
        )


def _lz4_expanded_max(data: memoryview) -> int:
    """By the number of its blocks, if it is one frame: mostly a tenth of what the format allows."""
    frame = _Lz4Frame.of(data)
    at, expanded, length = 0 if frame is None else frame.begins, 0, 0
    while frame is not None and at + 4 <= len(data):
        (length,) = struct.unpack_from("<I", data, at)
        at += 4
        if length == 0:
            return expanded if len(data) - at in (0, 4) else len(data) * EXPANSION[LZ4]
        at += (length & ~LZ4_IS_PLAIN) + frame.sum_bytes
        expanded += frame.block_max
    return len(data) * EXPANSION[LZ4]


def _lz4(data: memoryview) -> Stream:
    frame = _Lz4Frame.of(data)
    if frame is None or not frame.is_independent:
        return io.BytesIO(bytes(cramjam.lz4.decompress(data)))
    return _Blocks(_lz4_blocks(data, frame.begins, frame.block_max, frame.sum_bytes))


def _lz4_blocks(data: memoryview, at: int, block_max: int, sum_bytes: int) -> Iterator[bytes]:
    """Decompress the first frame; Kafka's producers write only one."""
    room = bytearray(block_max)
    while True:
        (length,) = struct.unpack_from("<I", data, at)
        if length == 0:
            return
        at += 4
        size = length & ~LZ4_IS_PLAIN
        block = data[at : at + size]
        if length & LZ4_IS_PLAIN:
            yield bytes(block)
        else:
            length = cramjam.lz4.decompress_block_into(block, room, output_len=block_max)
            yield bytes(memoryview(room)[:length])
        at += size + sum_bytes
