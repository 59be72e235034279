"""Whatever a producer put into a batch is read, a piece at a time."""

import gc
import struct
import tracemalloc
from collections.abc import Sequence
from typing import Any

import cramjam
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.kafka import pieces as kafka_pieces
from consumers.kafka.batches import Batches
from consumers.kafka.codecs import LZ4, expanded_max
from consumers.kafka.fetched import FetchedRecords, UnreadableError
from tests.raw_batches import CODECS, Raw, batch

some_bytes = st.none() | st.binary(max_size=40)
raws = st.builds(
    Raw, some_bytes, some_bytes, st.lists(st.tuples(st.binary(max_size=9), some_bytes), max_size=3)
)


def fetched(data: bytes, *, offset: int = 0, check_crcs: bool = True) -> FetchedRecords:
    return FetchedRecords(
        TopicPartition("t", 0),
        Batches(data),
        [],
        offset,
        None,
        None,
        check_crcs=check_crcs,
        isolation_level=READ_COMMITTED,
    )


def contents(records: Sequence[Any]) -> list[Raw]:
    return [Raw(one.key, one.value, named(one)) for one in records]


def named(record: ConsumerRecord) -> list[tuple[bytes, bytes | None]]:
    return [(name.encode(), value) for name, value in record.headers]


def as_read(raw: Raw) -> Raw:
    """A name that is not UTF-8 is escaped."""
    names = [name.decode(errors="backslashreplace").encode() for name, _ in raw.headers]
    values = [value for _, value in raw.headers]
    return Raw(raw.key, raw.value, list(zip(names, values, strict=True)))


@given(st.lists(raws, min_size=1, max_size=6), st.sampled_from(list(CODECS)), st.booleans())
@settings(deadline=None)
def test_whatever_a_producer_wrote_is_read_as_it_is(
    written: list[Raw], codec: str, is_in_pieces: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if is_in_pieces:
            patch.setattr(kafka_pieces, "PIECE_BYTES", 30)
            patch.setattr("consumers.kafka.batches.AT_ONCE_BYTES_MAX", 0)
        data = batch(written, codec) + batch(written, codec, base_offset=len(written))
        found = list(fetched(data))

    assert contents(found) == [as_read(one) for one in written] * 2
    assert [one.offset for one in found] == list(range(2 * len(written)))


@pytest.mark.parametrize("codec", CODECS)
def test_what_follows_an_odd_header_name_is_read_too(codec: str) -> None:
    odd = Raw(b"k", b"v", [(b"caf\xe9", b"1"), (b"source", None)])
    good = Raw(b"k", b"v", [(b"source", b"shop")])
    found = list(fetched(batch([good, odd, good], codec) + batch([good], codec, base_offset=3)))

    assert [one.offset for one in found] == [0, 1, 2, 3]
    assert found[1].headers == (("caf\\xe9", b"1"), ("source", None))


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
@settings(deadline=None, max_examples=50)
def test_no_lz4_text_becomes_more_than_is_worked_out_from_its_blocks(
    data: bytes, repeats: int
) -> None:
    plain = data * 10**repeats
    frame = bytes(cramjam.lz4.compress(plain))
    assert len(plain) <= expanded_max(LZ4, memoryview(frame)) <= len(plain) + 5_000_000
    assert expanded_max(LZ4, memoryview(frame + frame)) >= 2 * len(plain)


def test_what_was_given_out_keeps_no_bytes_of_its_fetch() -> None:
    """It may stay for as long as the engine is full, and others' records with it."""
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


@pytest.mark.parametrize("codec", CODECS)
def test_the_next_fetch_begins_after_what_compaction_left_of_a_batch(codec: str) -> None:
    data = bytearray(batch([Raw(b"k", b"v")] * 2, codec, base_offset=5))
    data[23:27] = struct.pack(">i", 9)  # The offset of its last record, which is gone.
    records = fetched(bytes(data), offset=5, check_crcs=False)

    assert [one.offset for one in records.some(9, 9)[0]] == [5, 6]
    assert records.some(9, 9)[0] == ()
    assert records.next_fetch_offset == 15


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


@given(
    st.lists(raws, min_size=1, max_size=4),
    st.sampled_from(list(CODECS)),
    st.integers(0, 2000),
    st.integers(1, 255),
    st.booleans(),
)
@settings(deadline=None)
def test_a_broken_batch_is_named_with_its_offsets_and_nothing_else_is_raised(
    written: list[Raw], codec: str, at: int, by: int, keeps_crc: bool
) -> None:
    """At worst it is read wrongly: what a CRC does not protect nobody can tell."""
    data = bytearray(batch(written, codec, base_offset=10))
    data[at % len(data)] ^= by
    records = fetched(bytes(data), offset=10, check_crcs=keeps_crc)
    try:
        list(records)
    except UnreadableError as error:
        assert error.first < error.before  # noqa: PT017  Or none is raised.


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


def test_what_comes_before_broken_bytes_is_given_out_first() -> None:
    data = bytearray(batch([Raw(b"k", b"v")] * 3))
    header = 61
    data[header + (len(data) - header) // 3 * 2] ^= 0xFF  # The length of the last record.
    records = fetched(bytes(data), check_crcs=False)

    assert [one.offset for one in records.some(10, 1000)[0]] == [0, 1]
    with pytest.raises(UnreadableError) as raised:
        records.some(10, 1000)
    assert (raised.value.first, raised.value.before) == (2, 3)


def test_a_fetch_that_begins_within_a_batch_gives_out_what_was_asked_for() -> None:
    for codec in CODECS:
        data = batch([Raw(b"k", b"v")] * 4, codec, base_offset=10)
        assert [one.offset for one in fetched(data, offset=12)] == [12, 13], codec


def test_a_wrong_crc_is_told_with_the_offsets_that_it_concerns() -> None:
    good = batch([Raw(b"k", b"v")] * 2)
    broken = bytearray(batch([Raw(b"k", b"v")] * 3, base_offset=2))
    broken[-1] ^= 1
    records = fetched(good + bytes(broken))
    assert [next(records).offset for _ in range(2)] == [0, 1]

    with pytest.raises(UnreadableError) as raised:
        next(records)
    assert (raised.value.first, raised.value.before) == (2, 5)


def test_an_unknown_codec_is_unreadable_and_not_a_reason_to_end() -> None:
    data = bytearray(batch([Raw(b"k", b"v")]))
    data[22] |= 6

    with pytest.raises(UnreadableError):
        next(fetched(bytes(data), check_crcs=False))


def test_only_the_last_batch_of_a_fetch_may_be_cut_off() -> None:
    good = batch([Raw(b"k", b"v")])
    assert [one.offset for one in fetched(good + batch([Raw(b"k", b"v")], base_offset=1)[:-1])] == [
        0
    ]

    with pytest.raises(UnreadableError):
        next(fetched(struct.pack(">qi", 0, 2**31 - 1) + good[12:]))


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1])
def test_message_sets_of_old_producers_are_read(magic: int, codec: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, codec, 10_000)
    for offset in range(3):
        builder.append(offset, 1000 if magic else None, None, b"v")
    found = list(fetched(bytes(builder.build())))

    assert [one.offset for one in found] == [0, 1, 2]
    assert {one.timestamp for one in found} == {1000 if magic else -1}
