"""Records as a fetch brings them."""

from collections.abc import Sequence

from schemas.columns import Columns
from schemas.records import Record


def columns_of(records: Sequence[Record]) -> Columns:
    """Of one partition, at least one."""
    return Columns(
        records[0].topic,
        records[0].partition,
        [one.offset for one in records],
        [one.timestamp for one in records],
        [one.key for one in records],
        [one.value for one in records],
        [one.headers for one in records],
    )
