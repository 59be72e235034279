"""Adds to a batch the event that a value was translated to, or rejects the value. Pure."""

from gateway.dialects.records import record_of, record_of_built
from gateway.dialects.shapes import Batch, Context, Rejection
from schemas.events import EventFacts
from schemas.records import NewRecord
from schemas.strictness import Defect


def add_event(
    batch: Batch,
    index: int,
    value: bytes,
    event: bytes,
    facts: EventFacts | Defect,
    context: Context,
) -> None:
    if type(facts) is Defect:
        batch.rejected.append(Rejection(index, facts, value))
    else:
        record, insert_id = record_of(event, facts, context)
        _add(batch, index, record, insert_id, context, 0)


def add_built_event(
    batch: Batch,
    index: int,
    value: bytes,
    event: bytes,
    facts: EventFacts | Defect,
    context: Context,
    filled: int,
) -> None:
    """As above, for `record_of_built`; so many bytes of the event have their room already."""
    if type(facts) is Defect:
        batch.rejected.append(Rejection(index, facts, value))
    else:
        record, insert_id = record_of_built(event, facts, context)
        _add(batch, index, record, insert_id, context, filled)


def _add(
    batch: Batch, index: int, record: NewRecord, insert_id: str, context: Context, filled: int
) -> None:
    if (more := len(record.value) - filled) > 0:
        context.room.fill(more)
    batch.records.append(record)
    batch.receipts.append((index, insert_id))
