"""Violations of the plan of `[delivery]`: each record counts once, whatever the destinations.

A destination may be ahead of another one that takes other records, so the offsets are remembered.
"""

from collections import defaultdict

from consumers.metrics import VIOLATIONS
from schemas.plans.plan import Violation
from schemas.records import Record, TopicPartition, source_of

REMEMBERED_MAX = 20_000  # Of a partition: what is further behind counts as counted.


class Counted:
    """Offsets of one partition whose records have been counted."""

    def __init__(self) -> None:
        self._below = 0  # All of these have.
        self._offsets: set[int] = set()

    def add(self, offset: int) -> bool:
        """Whether it is new."""
        if offset < self._below or offset in self._offsets:
            return False
        self._offsets.add(offset)
        if len(self._offsets) > REMEMBERED_MAX:
            kept = sorted(self._offsets)[REMEMBERED_MAX // 2 :]
            self._below, self._offsets = kept[0], set(kept)
        return True


_counted: defaultdict[TopicPartition, Counted] = defaultdict(Counted)


def count(record: Record, violation: Violation) -> None:
    if _counted[TopicPartition(record.topic, record.partition)].add(record.offset):
        is_known = str(violation.is_known).lower()
        VIOLATIONS.labels(source_of(record), is_known, violation.reason).inc()
