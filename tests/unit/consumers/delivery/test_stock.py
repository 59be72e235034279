"""What records take in memory, as the limit counts it."""

import tracemalloc

import pytest

from consumers.delivery.destination import Encoded
from consumers.delivery.entry import Entry, bytes_of, size_of
from consumers.delivery.offsets import Offsets
from schemas.records import Stored

RECORDS = 1000
OFFSETS = Offsets(0)


def entry(number: int, value_bytes: int, *, is_body: bool) -> Entry:
    value = bytes(bytearray(value_bytes))  # A new one each time.
    key = f"user-{number}"
    body = value if is_body else bytes(bytearray(value_bytes))
    record = Stored("t", 0, 10**6 + number, 10**12 + number, key.encode(), value, ())
    encoded = Encoded(body, key, key)
    return Entry(record, OFFSETS, 10**6 + number, encoded, size_of(record, encoded))


@pytest.mark.parametrize("value_bytes", [200, 600, 20_000])
@pytest.mark.parametrize("is_body", [True, False])
def test_records_count_with_the_memory_that_they_take(value_bytes: int, is_body: bool) -> None:
    tracemalloc.start()
    try:
        entries = [entry(number, value_bytes, is_body=is_body) for number in range(RECORDS)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.8 * bytes_of(entries) < taken < 1.2 * bytes_of(entries)
