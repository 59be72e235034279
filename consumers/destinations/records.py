"""What all destinations do with a record: read its key, and fill in what a producer left out."""

from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from consumers.delivery.destination import Encoded
from consumers.delivery.encoded_run import EncodedRun, RunEncoded
from consumers.delivery.outcomes import Reject, Skip
from schemas.columns import Columns
from schemas.events import (
    EventFacts,
    IdentificationFacts,
    event_key,
    events_by_hundreds,
    read_event,
    read_events,
)
from schemas.records import Record
from schemas.splicing import with_members, without
from schemas.strictness import Defect

Facts = TypeVar("Facts")
Outcome: TypeAlias = Encoded | Reject | Skip
# Of an event that can be read, with its key and its value.
EncodedEvent: TypeAlias = Callable[[Record, EventFacts, str, bytes], Outcome]


def read_record(
    record: Record,
    read: Callable[[bytes], Facts | Defect],
    key_of: Callable[[Facts], str | None],
) -> tuple[Facts, str, bytes] | Reject:
    """Its facts, its key and its value, or why it is dead for every destination."""
    if record.value is None:
        return Reject("tombstone")
    facts = read(record.value)
    if type(facts) is Defect:  # The class is final, so this equals `isinstance`, and is faster.
        return Reject(facts.reason, facts.message)
    key = read_key(record, key_of(facts))
    return key if isinstance(key, Reject) else (facts, key, record.value)


def encoded_event(record: Record, encoded: EncodedEvent) -> Outcome:
    found = read_record(record, read_event, event_key)
    return found if isinstance(found, Reject) else encoded(record, *found)


def encoded_events(records: Sequence[Record], encoded: EncodedEvent) -> list[Outcome]:
    """As `encoded_event` of each, read together; that says what is wrong with one, if anything."""
    values = [record.value or b"" for record in records]
    outcomes: list[Outcome] = []
    for record, value, facts in zip(records, values, read_events(values), strict=True):
        if type(facts) is Defect:
            outcomes.append(encoded_event(record, encoded))
            continue
        key, stored = facts.user_id or event_key(facts), record.key
        if key is None or (stored is not None and stored != key.encode()):
            outcomes.append(encoded_event(record, encoded))
        else:
            outcomes.append(encoded(record, facts, key, value))
    return outcomes


def encoded_run(records: Columns) -> RunEncoded | None:
    """Of events, if all can be sent as they are, or with what their producer left out."""
    values = [value for value in records.values if value is not None]
    if len(values) < len(records):
        return None
    bodies, keys = values, list[str]()
    user_ids, device_ids = list[str | None](), list[str | None]()
    lacking: list[tuple[int, EventFacts]] = []
    for several in events_by_hundreds(values):
        if several is None:
            return None
        own = [one.user_id or event_key(one) for one in several]
        lacking += [
            (position, one)
            for position, one in enumerate(several, len(keys))
            if not one.insert_id or one.time is None
        ]
        keys += [key for key in own if key is not None]
        user_ids += [one.user_id for one in several]
        device_ids += [one.device_id for one in several]
    if len(keys) < len(values) or not _are_stored_as(keys, records.keys):
        return None
    if lacking:
        bodies = values[:]
        for position, facts in lacking:
            bodies[position] = completed(values[position], records[position], facts)
    return RunEncoded(EncodedRun(bodies, keys, user_ids, device_ids))


def _are_stored_as(keys: Sequence[str], stored: Sequence[bytes | None]) -> bool:
    """Whether the records have these keys, or none."""
    expected = [key.encode() for key in keys]
    if expected == stored:
        return True
    return all(own is None or own == key for own, key in zip(stored, expected, strict=True))


def read_key(record: Record, key: str | None) -> str | Reject:
    """The key that orders the record; a record without one is filled in (contract.md#records)."""
    expected = key if key is not None else ""
    if record.key is not None and record.key != expected.encode():
        return Reject("wrong_key", f"the key is not {expected[:100]!r}")
    return expected


def insert_id_of(record: Record) -> str:
    """Never derived from content: equal events are not duplicates (contract.md#records)."""
    return f"{record.topic}/{record.partition}/{record.offset}"


def completed(
    value: bytes,
    record: Record,
    facts: EventFacts | IdentificationFacts,
    event_type: str | None = None,
) -> bytes:
    """What the edge would have filled in; the same on every redelivery."""
    members: list[bytes] = []
    absent: list[str] = []
    if event_type is not None:
        members.append(b'"event_type":"%s"' % event_type.encode())
        absent.append("event_type")
    if not facts.insert_id:
        members.append(b'"insert_id":"%s"' % insert_id_of(record).encode())
        absent.append("insert_id")
    if facts.time is None and record.timestamp >= 0:  # Without one, it counts as of its upload.
        members.append(b'"time":%d' % record.timestamp)
        absent.append("time")
    if any(b'"%s"' % name.encode() in value for name in absent):
        value = without(value, *absent)  # It may be null, empty, or inside a property.
    return with_members(value, b",".join(members)) if members else value
