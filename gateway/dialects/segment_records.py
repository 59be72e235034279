"""Adds to a batch the records that a Segment call becomes, or rejects it. Pure."""

import msgspec

from gateway.dialects.records import record_of, record_of_built
from gateway.dialects.segment_call import Call
from gateway.dialects.segment_mapping import Event, encoded, events_of, only_event_of
from gateway.dialects.shapes import Batch, Rejection
from schemas.events import EventFacts, read_event, usable_event
from schemas.ids import ids_defect
from schemas.records import NewRecord
from schemas.strictness import Defect, is_surely_shallow


def add_call(batch: Batch, index: int, value: bytes, call: Call, filled: int) -> None:
    """So many bytes of its first record have their room already."""
    event = only_event_of(call)
    if event is None or type(event) is Defect:
        failed = event or _add_all(batch, index, call, filled)
        if failed is not None:
            batch.rejected.append(Rejection(index, failed, value))
        return
    record, insert_id = usual_record(event, call), event.insert_id or ""
    if record is None:
        made = _record_of(event, call)
        if type(made) is Defect:
            batch.rejected.append(Rejection(index, made, value))
            return
        record, insert_id = made
    if (more := len(record.value) - filled) > 0:
        call.context.whence.room.fill(more)
    batch.records.append(record)
    batch.receipts.append((index, insert_id))


def usual_record(event: Event, call: Call) -> NewRecord | None:
    """As `record_of_built`, of a usable event in which nothing is replaced; None of another one."""
    context, user_id, device_id = call.context, event.user_id, event.device_id
    end = context.untimed if event.time is None else context.timed
    if (
        end is None
        or event.insert_id is None
        or not (event_type := event.event_type)
        or event_type.isspace()
        or ids_defect(user_id, device_id) is not None
    ):
        return None
    text = msgspec.json.encode(event)[:-1] + end
    if not is_no_deeper(event) and not is_surely_shallow(text):
        return None
    return NewRecord((user_id or device_id or "").encode(), text, context.whence.headers)


def _record_of(event: Event, call: Call) -> tuple[NewRecord, str] | Defect:
    text = encoded(event, call)
    is_shallow = is_no_deeper(event) or is_surely_shallow(text)
    facts = usable_event(facts_of(event, call)) if is_shallow else read_event(text)
    return facts if type(facts) is Defect else record_of_built(text, facts, call.context.whence)


def is_no_deeper(event: Event) -> bool:
    """Whether nothing of the call is nested deeper in it: only traits in operations are."""
    return type(event.user_properties) is not dict


def facts_of(event: Event, call: Call) -> EventFacts:
    """As they would be read from the encoded event."""
    return EventFacts(
        event.event_type,
        event.user_id,
        event.device_id,
        event.time,
        event.insert_id,
        call.context.ip,
        event.session_id,
        groups=call.context.groups,
    )


def _add_all(batch: Batch, index: int, call: Call, filled: int) -> Defect | None:
    """All events of a call, or none."""
    stored, context = len(batch.records), call.context.whence
    for event in events_of(call, context.room):
        if isinstance(event, Defect):
            return event
        facts = read_event(event)
        if isinstance(facts, Defect):
            del batch.records[stored:], batch.receipts[stored:]
            return facts
        record, insert_id = record_of(event, facts, context)
        context.room.fill(max(0, len(record.value) - filled))
        filled = 0
        batch.records.append(record)
        batch.receipts.append((index, insert_id))
    return None
