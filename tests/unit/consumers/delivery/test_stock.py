"""What records take in memory, as the limit counts it."""

import tracemalloc

import pytest

from consumers.delivery.destination import Encoded
from consumers.delivery.encoded_run import EncodedRun
from consumers.delivery.entry import Entry, bytes_of, size_of
from consumers.delivery.lanes import Lane
from consumers.delivery.offsets import Offsets
from consumers.delivery.policy import USUAL
from consumers.delivery.run import Run, run_of
from schemas.records import Stored, TopicPartition
from tests.columns import columns_of

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


@pytest.mark.parametrize("at_once", [1, 7, 500])
def test_runs_take_no_more_memory_than_they_count_with(at_once: int) -> None:
    lane = Lane(TopicPartition("t", 0), OFFSETS, USUAL)
    tracemalloc.start()
    try:
        for first in range(0, RECORDS, at_once):
            entries = [entry(n, 600, is_body=True) for n in range(first, first + at_once)]
            lane.append_run(run_with(entries), 0.0)
        del entries
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.6 * RECORDS * 600 < taken < sum(run.size for run in lane.runs)


def run_with(entries: list[Entry]) -> Run:
    encoded = [one.encoded for one in entries]
    return run_of(
        OFFSETS,
        columns_of([one.record for one in entries]),
        EncodedRun(
            [one.body for one in encoded],
            [one.key for one in encoded],
            [one.user_id for one in encoded],
            [one.device_id for one in encoded],
        ),
    )
