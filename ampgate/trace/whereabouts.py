"""The state of a record for one destination, from what Kafka has. Pure.

Theory of operation: a delivery commits the lowest offset that is not settled, and writes a dead
letter or a parked record before it settles the original. So, if the commits are read before the
letters, an offset below the commit is settled, and its letter, if it has one, is known. The commit
note has more (consumers/kafka/commit_notes.py).

A replay parks a record again, with `replayed_at` in its headers, which a later dead letter copies:
the letters of the last replay count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from consumers.delivery import border
from consumers.delivery.destination import Destination, Encoded
from consumers.delivery.outcomes import SUPPRESSED, Reject, Skip
from consumers.delivery.parking import unparked
from consumers.destinations.records import insert_id_of
from consumers.kafka.commit_notes import CommitNote
from schemas.decoding import NOT_DECODED
from schemas.letters import timestamp
from schemas.records import Record, Stored
from schemas.suppressions import NOBODY, Suppressions


class State(StrEnum):
    DELIVERED = "delivered"
    WAITING = "waiting"
    DEAD = "dead"
    SKIPPED = "skipped"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """One record and destination, as contract.md#commands has it."""

    insert_id: str
    event_type: str | None
    time: str  # When Kafka got it.
    topic: str
    partition: int
    offset: int
    destination: str
    state: State
    reason: str | None = None
    until: str | None = None


class Identity(msgspec.Struct):
    """The ids of a record; of any type, since the record may be unusable."""

    insert_id: object = None
    user_id: object = None
    device_id: object = None
    event_type: object = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A group's progress in one partition."""

    committed: int
    note: CommitNote | None
    is_read: bool = True  # By a delivery, at this moment.

    def is_settled(self, offset: int) -> bool:
        if offset < self.committed:
            return True
        return self.note is not None and self.note.left.has_settled(offset)

    def has_read(self, offset: int) -> bool:
        return offset < (self.note.left.read_to if self.note is not None else self.committed)

    @property
    def held(self) -> Mapping[int, tuple[str, str]]:
        """Why some records wait, and until when."""
        if self.note is None:
            return {}
        return {at: (held.reason, timestamp(held.until)) for at, held in self.note.held.items()}


@dataclass(frozen=True, slots=True)
class Evidence:
    """All facts from Kafka about one record and destination; the progress is its partition's."""

    progress: Progress | None
    letters: Sequence[Stored]
    parked: Sequence[Stored]
    parked_progress: Mapping[int, Progress]
    suppressed: Suppressions = NOBODY


_identity = msgspec.json.Decoder(Identity)


def identity_of(value: bytes | None) -> Identity:
    try:
        return _identity.decode(value or b"")
    except NOT_DECODED:
        return Identity()


def insert_id_as_sent(record: Record) -> str:
    """The `insert_id` that destinations get: the record's, else the one that delivery makes."""
    own = identity_of(record.value).insert_id
    return own if isinstance(own, str) else insert_id_of(record)


def original_of(trace: Stored) -> Stored | None:
    """The record that a dead letter or a parked record stands for, as it was."""
    original, letter = unparked(trace)
    return None if letter.origin is None else original


def locate(record: Stored, destination: Destination, evidence: Evidence) -> Whereabouts:
    state, reason, until = _judge(record, destination, evidence)
    return whereabouts(record, destination.name, state, reason, until)


def whereabouts(
    record: Stored, destination: str, state: State, reason: str | None, until: str | None = None
) -> Whereabouts:
    event_type = identity_of(record.value).event_type
    return Whereabouts(
        insert_id_as_sent(record),
        event_type if isinstance(event_type, str) else None,
        timestamp(record.timestamp / 1000),
        record.topic,
        record.partition,
        record.offset,
        destination,
        state,
        reason,
        until,
    )


_Judgement = tuple[State, str | None, str | None]


def _judge(record: Stored, destination: Destination, evidence: Evidence) -> _Judgement:
    traces = [*evidence.letters, *evidence.parked]
    last_replay = max((_replay_of(one) for one in traces), default="")
    for letter in evidence.letters:
        if _replay_of(letter) == last_replay:
            return State.DEAD, letter.header("reason"), None
    parked = [one for one in evidence.parked if _replay_of(one) == last_replay]
    for one in parked:
        progress = evidence.parked_progress.get(one.partition)
        if progress is None or not progress.is_settled(one.offset):
            asked = (one.header("reason"), one.header("not_before"))
            held = progress.held if progress is not None else {}
            reason, until = held.get(one.offset, asked)
            return State.WAITING, reason or "parked", until
    progress = evidence.progress
    if not parked and (progress is None or not progress.is_settled(record.offset)):
        return _on_its_way(record, destination, progress)
    return _settled(record, destination, evidence.suppressed)


def _replay_of(record: Stored) -> str:
    return record.header("replayed_at") or ""


def _on_its_way(record: Stored, destination: Destination, progress: Progress | None) -> _Judgement:
    if progress is None:
        return State.UNREAD, "no_delivery_yet", None
    paused = progress.note.paused if progress.note is not None else None
    stopped = paused if progress.is_read else "no_delivery_now"
    if not progress.has_read(record.offset):
        return State.UNREAD, stopped or "behind_others", None
    skip = border.encode(destination, record)
    if isinstance(skip, Skip):
        return State.SKIPPED, skip.reason, None  # It was settled when it was read.
    reason, until = progress.held.get(record.offset, (stopped or "in_flight", None))
    return State.WAITING, reason, until


def _settled(record: Stored, destination: Destination, suppressed: Suppressions) -> _Judgement:
    """Of a suppressed user it is not known whether it was delivered before."""
    match border.encode(destination, record):
        case Encoded() as encoded if encoded.user_id in suppressed:
            return State.SKIPPED, SUPPRESSED.reason, None
        case Reject() if (record.key or b"").decode(errors="replace") in suppressed:
            return State.SKIPPED, SUPPRESSED.reason, None
        case Encoded():
            return State.DELIVERED, None, None
        case Skip(reason):
            return State.SKIPPED, reason, None
        case Reject(reason):
            return State.DEAD, reason, None  # Its dead letter has expired.
