"""Records by columns are what they would be one by one."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Record, Stored
from tests.columns import columns_of

texts = st.none() | st.sampled_from([b"", b"a", b"bc"])
stored = st.builds(
    Stored,
    topic=st.just("events"),
    partition=st.just(3),
    offset=st.integers(0, 99),
    timestamp=st.integers(-1, 99),
    key=texts,
    value=texts,
    headers=st.sampled_from([(), (("source", b"shop"),)]),
)
several = st.lists(stored, min_size=1, max_size=8)


@given(several, several, st.integers(-9, 9), st.integers(-9, 9), st.data())
def test_columns_are_a_sequence_of_records(
    records: list[Record], later: list[Record], first: int, before: int, data: st.DataObject
) -> None:
    columns = columns_of(records)
    chosen = data.draw(st.lists(st.booleans(), min_size=len(records), max_size=len(records)))

    assert list(columns) == records
    assert [columns[index] for index in range(len(columns))] == records
    assert list(columns[first:before]) == records[first:before]
    assert list(columns.only(chosen)) == [
        one for one, is_in in zip(records, chosen, strict=True) if is_in
    ]
    columns.extend(columns_of(later))
    assert list(columns) == [*records, *later]
