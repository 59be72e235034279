"""Of broken batches their offsets are named, and what can be read is read."""

import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.kafka.fetching import pieces as kafka_pieces
from schemas.kafka.fetching.fetched import UnreadableError
from tests.raw_batches import CODECS, Raw, batch
from tests.unit.schemas.kafka.batch_reading import fetched, raws, some_bytes


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


def test_what_comes_before_broken_bytes_is_given_out_first() -> None:
    data = bytearray(batch([Raw(b"k", b"v")] * 3))
    header = 61
    data[header + (len(data) - header) // 3 * 2] ^= 0xFF  # The length of the last record.
    records = fetched(bytes(data), check_crcs=False)

    assert [one.offset for one in records.some(10, 1000)[0]] == [0, 1]
    with pytest.raises(UnreadableError) as raised:
        records.some(10, 1000)
    assert (raised.value.first, raised.value.before) == (2, 3)


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


lies = st.one_of(
    st.builds(Raw, some_bytes, some_bytes, delta=st.integers(-(2**40), 2**40)),
    st.builds(Raw, some_bytes, some_bytes, length=st.integers(-(2**40), 2**40)),
    raws,
)


@given(
    st.lists(lies, min_size=1, max_size=4),
    st.sampled_from(list(CODECS)),
    st.none() | st.integers(-5, 9) | st.just(2**31 - 1),
    st.booleans(),
)
@example([Raw(None, None, length=32_000_027), *[Raw(None, None)] * 3], "none", 1, True)
@settings(deadline=None)
def test_of_a_batch_that_lies_each_offset_is_read_or_named_unreadable(
    written: list[Raw], codec: str, count: int | None, is_in_pieces: bool
) -> None:
    """A broker stores some of them, and its CRC is right."""
    data = batch(written, codec, base_offset=10, count=count)
    records = fetched(data, offset=10)
    with pytest.MonkeyPatch.context() as patch:
        if is_in_pieces:
            patch.setattr(kafka_pieces, "PIECE_BYTES", 30)
            patch.setattr("schemas.kafka.fetching.batches.AT_ONCE_BYTES_MAX", 0)
        found, unreadable = [], range(0)
        try:
            while some := records.some(9, 10_000)[0]:
                found += [one.offset for one in some]
        except UnreadableError as error:
            unreadable = range(error.first, error.before)

    end = 10 + len(written)
    assert found == sorted({*found} & {*range(10, end)})
    assert (records.next_fetch_offset, end) == (unreadable.start or end, unreadable.stop or end)
    if all(one.delta is None for one in written):
        assert [*found, *unreadable] == list(range(10, end))
