"""Content encodings: each is undone, and none can fill the memory."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from gateway.encodings import MEMBERS_MAX, EncodingError, decompressed

Pack = Callable[[bytes], bytes]
PACKS: dict[bytes, Pack] = {
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"br": brotli.compress,
    b"zstd": zstandard.compress,
}


def raw_deflate(plain: bytes) -> bytes:
    return zlib.compress(plain)[2:-4]


def refusal(body: bytes, encoding: bytes, limit: int = 1_000) -> int:
    with pytest.raises(EncodingError) as caught:
        decompressed(body, encoding, limit)
    return caught.value.status


@pytest.mark.parametrize("encoding", PACKS)
def test_every_encoding_is_undone_and_limited(encoding: bytes) -> None:
    plain = bytes(range(256)) * 1_000
    packed = PACKS[encoding](plain)
    assert decompressed(packed, encoding, len(plain)) == plain
    assert decompressed(packed, encoding, len(plain) - 1) is None
    assert refusal(packed[:-3], encoding, 2 * len(plain)) == 400
    assert refusal(b"garbage", encoding) == 400
    assert refusal(b"", encoding) == 400
    assert refusal(packed + b"junk", encoding, len(plain)) == 400


@pytest.mark.parametrize("encoding", PACKS)
def test_a_bomb_costs_no_more_memory_than_the_limit(encoding: bytes) -> None:
    bomb = PACKS[encoding](bytes(50_000_000))
    tracemalloc.start()
    try:
        assert decompressed(bomb, encoding, 1_000_000) is None
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", PACKS)
def test_a_bomb_in_a_bomb_is_refused_as_well(encoding: bytes) -> None:
    pack = PACKS[encoding]
    twice = encoding + b", " + encoding
    assert decompressed(pack(pack(b"x" * 5_000)), twice, 5_000) == b"x" * 5_000
    assert decompressed(pack(pack(bytes(20_000_000))), twice, 100_000) is None


def test_gzip_and_zstd_may_have_several_members() -> None:
    for encoding in (b"gzip", b"zstd"):
        pack = PACKS[encoding]
        parts = [b"a" * 70_000, b"", b"b" * 70_000]
        packed = b"".join(map(pack, parts))
        assert decompressed(packed, encoding, 140_000) == b"".join(parts)
        assert decompressed(packed, encoding, 139_999) is None
        assert refusal(pack(b"") * (MEMBERS_MAX + 1), encoding) == 400


def test_deflate_may_come_without_its_header() -> None:
    plain = b"x" * 100_000
    assert decompressed(raw_deflate(plain), b"deflate", len(plain)) == plain
    assert decompressed(raw_deflate(plain), b"deflate", len(plain) - 1) is None


def test_encodings_are_undone_from_the_last_to_the_first() -> None:
    packed = brotli.compress(gzip.compress(b"plain"))
    assert decompressed(packed, b"identity, GZIP , br", 1_000) == b"plain"
    assert decompressed(b"plain", b"", 1_000) == b"plain"


def test_unknown_or_too_many_encodings_are_415() -> None:
    assert refusal(b"", b"compress") == 415
    assert refusal(b"", b"gzip, gzip, gzip, gzip") == 415
