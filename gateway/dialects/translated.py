"""Adds to a batch the event that a value was translated to, or rejects the value. Pure."""

from gateway.dialects.records import record_of
from gateway.dialects.shapes import Batch, Context, Rejection
from schemas.events import EventFacts
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
        context.room.fill(len(record.value))
        batch.records.append(record)
        batch.receipts.append((index, insert_id))
