"""What a batch has of the records that are appended together."""

import pytest
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from schemas.kafka.flushes import OpenBatch
from schemas.kafka.numbering import Numbering
from schemas.records import Appendable, NewRecord, RawRecord

NOW_MS = 1_800_000_000_000
SOURCE = [("source", b"web")]
records = st.builds(
    RawRecord,
    st.none() | st.binary(max_size=9),
    st.none() | st.binary(max_size=300),
    st.sampled_from([(), SOURCE, tuple(SOURCE)]),
)


@given(st.lists(records, max_size=9), st.lists(records, max_size=9))
def test_records_appended_together_are_those_appended_one_by_one(
    first: list[Appendable], then: list[Appendable]
) -> None:
    together, alone = (OpenBatch(900, 0, Numbering()) for _ in range(2))
    counts = [together.add_all(some, NOW_MS) for some in (first, then)]
    added = [[alone.add(record, NOW_MS) for record in some] for some in (first, then)]

    assert counts == [sum(some) for some in added]
    assert together.records == alone.records
    assert together.data() == alone.data()


def test_a_batch_counts_what_it_has_when_a_record_is_none() -> None:
    batch = OpenBatch(900, 0, Numbering())
    with pytest.raises(TypeError):
        batch.add_all([NewRecord(b"key", b"{}"), NewRecord(b"key", "{}")], NOW_MS)  # type: ignore[arg-type]  # As no caller should.
    batch.add(NewRecord(b"key", b"[]"), NOW_MS)

    assert batch.records == 2
    stored = MemoryRecords(bytes(batch.data())).next_batch()
    assert [(one.offset, one.value) for one in stored] == [(0, b"{}"), (1, b"[]")]


def test_a_batch_that_is_closed_takes_no_records() -> None:
    batch = OpenBatch(900, 0, Numbering())
    batch.close()

    assert batch.add_all([NewRecord(b"key", b"{}")], NOW_MS) == 0
