"""However large a batch becomes, reading it takes the memory of a piece."""

import gc
import tracemalloc

import cramjam
import pytest
import zstandard
from aiokafka.codec import zstd_encode
from hypothesis import given
from hypothesis import strategies as st

from schemas.kafka.fetching import pieces as kafka_pieces
from schemas.kafka.fetching.codecs import LZ4, ZSTD, expanded_max
from tests.examples import examples
from tests.raw_batches import CODECS, Raw, batch
from tests.unit.schemas.kafka.batch_reading import (
    contents,
    fetched,
)


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd", "snappy"])
def test_a_batch_costs_the_memory_of_a_piece(codec: str) -> None:
    written = [Raw(b"k", b"\0" * 200_000)] * 400
    data = batch(written, codec)
    tracemalloc.start()
    try:
        sizes = [len(one.value) for one in fetched(data)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert sizes == [200_000] * 400
    assert peak < 16_000_000


@pytest.mark.parametrize("codec", CODECS)
def test_a_record_of_24_mb_passes(codec: str) -> None:
    large = Raw(b"k", b"x" * 24_000_000, [(b"caf\xe9", b"1")])
    small = Raw(b"k", b"v")
    found = list(fetched(batch([small, large, small], codec)))

    assert [len(one.value) for one in found] == [1, 24_000_000, 1]


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_thrown_away_half_read_is_freed_at_once(codec: str) -> None:
    """As at each seek; the collector of cycles would come much later."""
    data = batch([Raw(b"k", b"x" * 5_000_000), Raw(b"k", b"y" * 5_000_000)], codec)
    gc.disable()
    tracemalloc.start()
    try:
        records = fetched(data)
        assert next(records).key == b"k"
        del records
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()

    assert held < 1_000_000


@given(st.binary(max_size=300_000), st.integers(0, 3))
@examples(50)
def test_no_lz4_text_becomes_more_than_is_worked_out_from_its_blocks(
    data: bytes, repeats: int
) -> None:
    plain = data * 10**repeats
    frame = bytes(cramjam.lz4.compress(plain))
    assert len(plain) <= expanded_max(LZ4, memoryview(frame)) <= len(plain) + 5_000_000
    assert expanded_max(LZ4, memoryview(frame + frame)) >= 2 * len(plain)


@given(st.binary(max_size=300_000), st.integers(0, 3), st.booleans(), st.booleans())
@examples(50)
def test_no_zstd_text_becomes_more_than_is_worked_out_from_its_blocks(
    data: bytes, repeats: int, states_size: bool, has_checksum: bool
) -> None:
    plain = data * 10**repeats
    compressor = zstandard.ZstdCompressor(
        level=1, write_content_size=states_size, write_checksum=has_checksum
    )
    frame = compressor.compress(plain)
    assert len(plain) <= expanded_max(ZSTD, memoryview(frame)) <= len(plain) + 5_000_000
    assert expanded_max(ZSTD, memoryview(frame + frame)) >= 2 * len(plain)


SKIPPABLE = b"\x50\x2a\x4d\x18" + (6).to_bytes(4, "little") + b"\xff" * 6


@pytest.mark.parametrize("before", [zstd_encode(b"short"), SKIPPABLE], ids=["small", "skippable"])
def test_a_large_frame_behind_another_is_not_decompressed_at_once(before: bytes) -> None:
    data = before + zstd_encode(bytes(10_000_000))
    assert expanded_max(ZSTD, memoryview(data)) >= 10_000_000


@pytest.mark.parametrize("data", [b"", b"\x28\xb5\x2f\xfd", zstd_encode(bytes(10**6))[:-1], b"x"])
def test_a_zstd_text_that_is_cut_has_a_limit_too(data: bytes) -> None:
    assert 0 <= expanded_max(ZSTD, memoryview(data)) <= max(1, len(data)) * 131_072


def test_what_was_given_out_keeps_no_bytes_of_its_fetch() -> None:
    """It may stay in memory while the engine is full, with the records of other partitions."""
    data = batch([Raw(b"k", b"x" * 5_000_000)])
    tracemalloc.start()
    try:
        records = fetched(bytes(data))
        [one], _ = records.some(100, 8_000_000)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(one.value or b"") == 5_000_000
    assert held < 6_000_000
    assert records.next_fetch_offset == 1
    assert list(records) == []


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd", "snappy"])
def test_of_a_record_beyond_all_measure_the_beginning_is_read(
    codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_pieces, "RECORD_BYTES_MAX", 3_000_000)
    small = Raw(b"k", b"v", [(b"a", b"b")])
    written = [small, Raw(b"k", b"x" * 30_000_000, [(b"a", b"b")]), small]
    found = list(fetched(batch(written, codec)))

    assert [one.offset for one in found] == [0, 1, 2]
    assert 3_000_000 <= len(found[1].value) < 5_000_000
    assert contents([found[0], found[2]]) == [small, small]


@pytest.mark.parametrize("codec", CODECS)
def test_no_more_bytes_are_given_out_at_once_than_asked_for_and_one_record(codec: str) -> None:
    written = [Raw(b"k", b"x" * 100), Raw(None, None), *[Raw(b"k", b"x" * 100)] * 4]
    records = fetched(batch(written, codec))
    given = [records.some(10, 150), records.some(2, 1000), records.some(10, 1), records.some(9, 9)]

    assert [([one.offset for one in some], size) for some, size in given] == [
        ([0, 1, 2], 200),
        ([3, 4], 200),
        ([5], 100),
        ([], 0),
    ]
