"""Content encodings: each is undone, in linear time, and none can fill the memory."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.encodings import (
    MEMBERS_MAX,
    EncodingError,
    encodings_of,
    expanded_max,
    short_gzip,
    unpacked,
)

Pack = Callable[[bytes], bytes]
PACKS: dict[bytes, Pack] = {
    b"gzip": gzip.compress,
    b"deflate": zlib.compress,
    b"br": brotli.compress,
    b"zstd": zstandard.compress,
}


def decompressed(body: bytes, encoding: bytes, limit: int) -> bytes:
    return b"".join(unpacked(body, encodings_of(encoding), limit))


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
    assert refusal(packed, encoding, len(plain) - 1) == 413
    assert refusal(packed[:-3], encoding, 2 * len(plain)) == 400
    assert refusal(b"garbage", encoding) == 400
    assert refusal(b"", encoding) == 400
    assert refusal(packed + b"junk", encoding, len(plain)) == 400


def test_a_zstd_body_cut_at_any_byte_is_refused() -> None:
    packed = zstandard.compress(b"")
    for size in range(len(packed)):
        assert refusal(packed[:size], b"zstd") == 400, packed[:size]


@pytest.mark.parametrize("encoding", PACKS)
def test_a_bomb_costs_no_more_memory_than_the_limit(encoding: bytes) -> None:
    bomb = PACKS[encoding](bytes(50_000_000))
    tracemalloc.start()
    try:
        assert refusal(bomb, encoding, 1_000_000) == 413
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", PACKS)
def test_a_bomb_in_a_bomb_is_refused_as_well(encoding: bytes) -> None:
    pack = PACKS[encoding]
    twice = encoding + b", identity, " + encoding
    assert decompressed(pack(pack(b"x" * 5_000)), twice, 5_000) == b"x" * 5_000
    assert refusal(pack(pack(bytes(20_000_000))), twice, 100_000) == 413


def test_gzip_and_zstd_may_have_several_members() -> None:
    for encoding in (b"gzip", b"zstd"):
        pack = PACKS[encoding]
        parts = [b"a" * 70_000, b"", b"b" * 70_000]
        packed = b"".join(map(pack, parts))
        assert decompressed(packed, encoding, 140_000) == b"".join(parts)
        assert refusal(packed, encoding, 139_999) == 413
    assert refusal(gzip.compress(b"") * (MEMBERS_MAX + 1), b"gzip") == 400


def test_deflate_may_come_without_its_header() -> None:
    plain = b"x" * 100_000
    assert decompressed(raw_deflate(plain), b"deflate", len(plain)) == plain
    assert refusal(raw_deflate(plain), b"deflate", len(plain) - 1) == 413


def test_encodings_are_undone_from_the_last_to_the_first() -> None:
    packed = brotli.compress(gzip.compress(b"plain"))
    assert decompressed(packed, b"identity, GZIP , br", 1_000) == b"plain"
    assert decompressed(b"plain", b"", 1_000) == b"plain"


def test_unknown_or_too_many_encodings_are_415() -> None:
    assert refusal(b"", b"compress") == 415
    assert refusal(b"", b"gzip, gzip, gzip") == 415


def test_how_much_may_come_out_follows_the_length_on_the_wire() -> None:
    assert expanded_max(47, 100, 20_000_000) == 1_000_000
    assert expanded_max(20_000, 100, 20_000_000) == 2_000_000
    assert expanded_max(1_000_000, 100, 20_000_000) == 20_000_000
    assert expanded_max(47, 100, 500_000) == 500_000


def test_empty_and_skippable_frames_are_nothing_however_many() -> None:
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"
    empty = zstandard.compress(b"")
    assert decompressed(empty * 999 + skippable, b"zstd", 0) == b""
    frames = [empty, skippable] * 100_000
    assert decompressed(b"".join([*frames, zstandard.compress(b"x")]), b"zstd", 1) == b"x"


def test_a_window_larger_than_what_encoders_use_by_default_is_refused() -> None:
    for window, accepted in ((10, True), (16, True), (17, True), (22, True), (23, False)):
        packed = brotli.compress(b"x" * 100, lgwin=window)
        if accepted:
            assert decompressed(packed, b"br", 100) == b"x" * 100
        else:
            assert refusal(packed, b"br") == 400
    assert refusal(brotli.compress(b"x", lgwin=24), b"br") == 400
    wide = zstandard.ZstdCompressionParameters(window_log=24, enable_ldm=True)
    packed = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    assert refusal(packed.compress(b"x" * 100) + packed.flush(), b"zstd") == 400
    assert refusal(b"\x11\x1e\x00", b"br") == 400


@given(
    st.sampled_from(sorted(PACKS)),
    st.lists(st.tuples(st.binary(max_size=20), st.integers(1, 9_000)), max_size=4),
    st.integers(0, 60_000),
    st.booleans(),
)
def test_what_was_packed_comes_out_and_a_cut_is_noticed(
    encoding: bytes, runs: list[tuple[bytes, int]], cut: int, twice: bool
) -> None:
    plain = b"".join(text * times for text, times in runs)
    packed, encodings = PACKS[encoding](plain), encoding
    if twice:
        packed, encodings = gzip.compress(packed), encoding + b", gzip"
    limit = max(len(plain), len(packed), 200)
    assert decompressed(packed, encodings, limit) == plain
    assert refusal(packed[: cut % len(packed)], encodings, limit) == 400


@given(
    st.lists(st.binary(max_size=60), min_size=1, max_size=2),
    st.integers(0, 80),
    st.tuples(st.integers(0, 200), st.integers(0, 255)) | st.none(),
    st.integers(1, 150),
)
def test_a_short_gzip_is_read_as_any_other_or_left_to_it(
    members: list[bytes], cut: int, other: tuple[int, int] | None, limit: int
) -> None:
    packed = bytearray(b"".join(map(gzip.compress, members)))
    if other is not None:
        packed[other[0] % len(packed)] = other[1]
    packed = packed[: max(1, len(packed) - cut)]
    text = short_gzip(b" GZip", packed, limit)
    if text is not None:
        assert text == decompressed(bytes(packed), b"gzip", limit)
    is_whole = len(members) == 1 and other is None and not cut
    assert not (is_whole and len(members[0]) < limit) or text == members[0]
    assert short_gzip(b"br", packed, limit) is None


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd"])
def test_a_text_that_ends_exactly_at_a_step_is_whole(encoding: bytes) -> None:
    """A decoder may hold text back when all of its input is read."""
    for size in range(32_400, 33_000):
        plain = bytes(size)
        assert decompressed(PACKS[encoding](plain), encoding, size) == plain
