"""Whose order may have changed by added partitions."""

from collections.abc import Sequence

from ampgate.lab.chaos.growth import Growth, written_late
from schemas.kafka.partitioner import positive_hash
from schemas.records import Stored

FORMER, NOW = 2, 4
GROWTH = Growth({0: 10, 1: 10}, NOW)
KEYS = [b"user-%d" % number for number in range(50)]
STAYS = next(key for key in KEYS if positive_hash(key) % NOW == positive_hash(key) % FORMER)
MOVES = next(key for key in KEYS if positive_hash(key) % NOW != positive_hash(key) % FORMER)


def record(key: bytes, offset: int, count: int) -> Stored:
    """Written by somebody who knows of so many partitions."""
    return Stored("events", positive_hash(key) % count, offset, 0, key, b"", ())


def late(*records: Stored) -> Sequence[Stored]:
    return list(written_late(records, [GROWTH]))


def test_only_events_of_users_that_moved_are_late_and_only_where_they_were_before() -> None:
    before, behind = record(MOVES, 9, FORMER), record(MOVES, 10, FORMER)
    assert late(before, behind, record(MOVES, 0, NOW), record(STAYS, 11, FORMER)) == [behind]


def test_after_a_second_growth_the_places_of_the_first_are_former_ones() -> None:
    moves_again = next(key for key in KEYS if positive_hash(key) % 8 >= NOW)
    again = Growth({0: 20, 1: 20, 2: 5, 3: 5}, 8)
    behind = record(moves_again, 20, NOW)
    assert list(written_late([behind], [GROWTH, again])) == [behind]
    assert list(written_late([record(moves_again, 0, 8)], [GROWTH, again])) == []
