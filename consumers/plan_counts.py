"""Violations of the plan of `[delivery]`: each record counts once, whatever the destinations."""

from consumers.metrics import VIOLATIONS
from schemas.plans.plan import Violation
from schemas.records import Record, TopicPartition, source_of

_counted: dict[TopicPartition, int] = {}  # Up to which offset.


def count(record: Record, violation: Violation) -> None:
    place = TopicPartition(record.topic, record.partition)
    if record.offset > _counted.get(place, -1):
        _counted[place] = record.offset
        is_known = str(violation.is_known).lower()
        VIOLATIONS.labels(source_of(record), is_known, violation.reason).inc()
