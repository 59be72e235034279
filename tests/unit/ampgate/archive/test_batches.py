"""Searching the bytes of batches finds what decoding all of them would find."""

import tracemalloc
from collections.abc import Sequence

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from ampgate.archive import batches as searched
from ampgate.archive.batches import Answer, Wanted, search
from tests.raw_batches import CODECS, CONTROL, TRANSACTIONAL, Raw
from tests.raw_batches import batch as raw_batch

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
Values = Sequence[bytes]


def batch(values: Values, codec: int = NONE, first: int = 0) -> bytes:
    """As Kafka stores it: with the offset of its first record; record N is of the time N."""
    builder = DefaultRecordBatchBuilder(2, codec, False, -1, -1, -1, 1_000_000)
    for index, value in enumerate(values):
        builder.append(index, first + index, b"key", value, [("source", b"kafka")])
    return first.to_bytes(8, "big") + bytes(builder.build())[8:]


def transactional(values: Values, first: int = 0) -> bytes:
    """As `batch`, of the producer 7."""
    builder = DefaultRecordBatchBuilder(2, NONE, True, 7, 0, first, 1_000_000)
    for index, value in enumerate(values):
        builder.append(index, first + index, b"key", value, [])
    return first.to_bytes(8, "big") + bytes(builder.build())[8:]


def offsets(answer: bytes, wanted: Wanted, start: int = 0) -> tuple[list[int], int]:
    found, reached = search(Answer(answer), "events", 3, start, wanted)
    return [record.offset for record in found], reached


@given(
    batches=st.lists(st.lists(st.binary(max_size=20), min_size=1, max_size=5), max_size=5),
    codec=st.sampled_from([NONE, GZIP, SNAPPY, LZ4, ZSTD]),
    needle=st.binary(min_size=1, max_size=2),
)
def test_no_record_with_the_string_is_missed(
    batches: list[Values], codec: int, needle: bytes
) -> None:
    values = [value for one in batches for value in one]
    answer, first = b"", 0
    for one in batches:
        answer += batch(one, codec, first)
        first += len(one)

    found, reached = search(Answer(answer), "events", 3, 0, Wanted((needle,)))
    with_it = {offset for offset, value in enumerate(values) if needle in value}
    assert with_it <= {record.offset for record in found}
    assert all(values[record.offset] == record.value for record in found)
    assert reached == len(values)


def test_a_batch_without_the_string_is_not_decoded() -> None:
    answer = batch([b"a", b"b"], LZ4) + batch([b"wanted", b"d"], LZ4, 2)
    assert offsets(answer, Wanted((b"wanted",))) == ([2, 3], 4)


def test_a_header_name_that_is_not_utf8_hides_no_record() -> None:
    """Anybody may have written it; `trace` and `dead-letters` read what Kafka has."""
    odd = [Raw(b"key", b"%d" % n, [(b"caf\xe9", b"1"), (b"source", None)]) for n in range(3)]
    for codec in CODECS:
        found, reached = search(Answer(raw_batch(odd, codec)), "events", 3, 1, Wanted((b"2",)))
        assert [(one.offset, one.value) for one in found] == [(1, b"1"), (2, b"2")]
        assert (found[0].header("caf\\xe9"), reached) == ("1", 3)


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_what_a_small_batch_becomes_is_never_in_memory_as_a_whole(codec: str) -> None:
    """Anybody who may write can store it; one search must not end the console for all."""
    answer = Answer(raw_batch([Raw(None, bytes(1_000_000))] * 60, codec))
    tracemalloc.start()
    try:
        assert search(answer, "events", 3, 0, Wanted((b"nowhere",))) == ([], 60)
        _, highest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert highest < 20_000_000


def test_records_of_many_bytes_are_passed_on_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searched, "FOUND_BYTES_MAX", 4)
    answer = batch([b"aaa", b"bbb", b"ccc"], LZ4) + batch([b"ddd"], first=3)
    position, parts = 0, list[list[int]]()
    while position < 4:
        part, position = offsets(answer, Wanted(), position)
        parts.append(part)
    assert parts == [[0, 1], [2, 3]]


def test_a_batch_that_is_cut_off_is_left_for_the_next_answer() -> None:
    answer = batch([b"a"]) + batch([b"b"], first=1)
    assert offsets(answer[:-1], Wanted()) == ([0], 1)
    assert offsets(answer[:70], Wanted(), start=0) == ([], 0)


def test_an_answer_of_nothing_but_an_aborted_transaction_leads_on_behind_it() -> None:
    """One that is larger than what a fetch brings would else be asked for again, for ever."""
    aborted = transactional([b"a", b"b"]) + transactional([b"c"], first=2)
    answer = Answer(aborted, [(7, 0)])
    assert search(answer, "events", 3, 0, Wanted()) == ([], 3)

    later = Answer(aborted + batch([b"d"], first=3), [(7, 0)])
    found, reached = search(later, "events", 3, 0, Wanted())
    assert ([record.value for record in found], reached) == ([b"d"], 4)


def test_a_control_batch_that_compaction_emptied_is_passed_over() -> None:
    aborted = transactional([b"a"])
    emptied = raw_batch([], base_offset=1, span=1, flags=TRANSACTIONAL | CONTROL, producer=7)
    answer = Answer(aborted + emptied + batch([b"b"], first=2), [(7, 0)])

    found, reached = search(answer, "events", 3, 0, Wanted())
    assert ([record.value for record in found], reached) == ([b"b"], 3)


def test_reading_begins_inside_a_batch() -> None:
    assert offsets(batch([b"a", b"b", b"c"], GZIP), Wanted(), start=1) == ([1, 2], 3)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(since_ms=1), [1, 2]),
        (Wanted(until_ms=1), [0]),
        (Wanted(since_ms=1, until_ms=2), [1]),
        (Wanted(since_ms=9), []),
    ],
)
def test_only_records_of_that_time_are_found(wanted: Wanted, expected: list[int]) -> None:
    assert offsets(batch([b"a", b"b", b"c"]), wanted) == (expected, 3)


def test_key_headers_and_absent_values_come_along() -> None:
    builder = DefaultRecordBatchBuilder(2, NONE, False, -1, -1, -1, 1000)
    builder.append(0, 5, None, None, [("a", b"1"), ("a", b"2"), ("b", None)])
    (record,), _ = search(Answer(bytes(builder.build())), "events", 3, 0, Wanted())
    assert (record.key, record.value, record.origin) == (None, None, "events/3/0")
    assert (record.header("a"), record.header("b"), record.header("c")) == ("2", "", None)
