"""Whatever a producer put into a batch is read, a piece at a time."""

import struct

import pytest
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.kafka.fetching import pieces as kafka_pieces
from tests.raw_batches import CODECS, Raw, batch
from tests.unit.schemas.kafka.batch_reading import (
    as_read,
    contents,
    fetched,
    raws,
)


@given(st.lists(raws, min_size=1, max_size=6), st.sampled_from(list(CODECS)), st.booleans())
@settings(deadline=None)
def test_whatever_a_producer_wrote_is_read_as_it_is(
    written: list[Raw], codec: str, is_in_pieces: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if is_in_pieces:
            patch.setattr(kafka_pieces, "PIECE_BYTES", 30)
            patch.setattr("schemas.kafka.fetching.batches.AT_ONCE_BYTES_MAX", 0)
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


@pytest.mark.parametrize("codec", CODECS)
def test_the_next_fetch_begins_after_what_compaction_left_of_a_batch(codec: str) -> None:
    data = bytearray(batch([Raw(b"k", b"v")] * 2, codec, base_offset=5))
    data[23:27] = struct.pack(">i", 9)  # The offset of its last record, which is gone.
    records = fetched(bytes(data), offset=5, check_crcs=False)

    assert [one.offset for one in records.some(9, 9)[0]] == [5, 6]
    assert not records.some(9, 9)[0]
    assert records.next_fetch_offset == 15


def test_a_fetch_that_begins_within_a_batch_gives_out_what_was_asked_for() -> None:
    for codec in CODECS:
        data = batch([Raw(b"k", b"v")] * 4, codec, base_offset=10)
        assert [one.offset for one in fetched(data, offset=12)] == [12, 13], codec


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1])
def test_message_sets_of_old_producers_are_read(magic: int, codec: int) -> None:
    builder = LegacyRecordBatchBuilder(magic, codec, 10_000)
    for offset in range(3):
        builder.append(offset, 1000 if magic else None, None, b"v")
    data = bytearray(builder.build())
    if codec:
        data[:8] = struct.pack(">q", 2)  # Kafka writes the last offset there.
    found = list(fetched(bytes(data)))

    assert [one.offset for one in found] == [0, 1, 2]
    assert {one.timestamp for one in found} == {1000 if magic else -1}
