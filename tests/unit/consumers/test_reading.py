"""How many records are read at once, so that one slow destination does not hold up the others."""

import pytest

from consumers.reading import READ_RECORDS_MAX, next_read


@pytest.mark.parametrize(
    ("before", "records", "seconds", "following"),
    [
        (READ_RECORDS_MAX, 4000, 0.02, READ_RECORDS_MAX),
        (READ_RECORDS_MAX, 4000, 0.4, 1000),
        (READ_RECORDS_MAX, 2, 0.1, 2),
        (READ_RECORDS_MAX, 1, 5.0, 1),
        (1, 1, 0.0, 2),
        (10, 0, 0.0, 10),
    ],
)
def test_a_read_takes_as_many_records_as_a_tenth_of_a_second_allows(
    before: int, records: int, seconds: float, following: int
) -> None:
    assert next_read(before, records, seconds) == following
