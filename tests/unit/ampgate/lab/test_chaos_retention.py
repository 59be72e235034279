"""What `ampgate chaos` has Kafka delete."""

from ampgate.archive.archive import Span
from ampgate.lab.chaos.retention import oldest_unread

SPANS = [Span("events", 0, 0, 100), Span("events", 1, 50, 100), Span("events", 2, 0, 0)]


def test_of_each_partition_the_oldest_that_some_destination_has_not_settled_are_deleted() -> None:
    found = oldest_unread(SPANS, [{0: 80, 1: 90, 2: 0}, {0: 60, 1: 100, 2: 0}], 0.5)
    assert list(found) == [Span("events", 0, 60, 80), Span("events", 1, 90, 95)]


def test_what_was_deleted_before_or_is_settled_by_all_is_not_counted_again() -> None:
    assert list(oldest_unread(SPANS, [{0: 100, 1: 10}], 1.0)) == [Span("events", 1, 50, 100)]
