"""An entry: a record in the engine, in its wire form, with what became of it so far."""

from collections.abc import Sequence
from operator import attrgetter

from msgspec import Struct

from consumers.delivery.destination import Encoded
from consumers.delivery.offsets import Offsets
from consumers.delivery.outcomes import Id
from consumers.delivery.parking import ParkedPartition
from schemas.records import Record

RECORD_BYTES = 600  # Memory of a record besides its value and its body.
_parts = attrgetter("parts")


class Entry(Struct, eq=False, gc=False):
    record: Record
    offsets: Offsets  # Where its offset is settled,
    offset: int  # and which offset that is.
    encoded: Encoded
    size: int  # Its bytes in memory.
    attempts: int = 0
    first_failed_at: float | None = None
    status: int | None = None  # Of the last answer that was a failure.
    # Batches delivered when it last failed alone; below 0: it never failed alone.
    failed_after: int = -1
    lone_failures: int = 0  # How often it failed alone while others succeeded.
    lead: int = 0  # Of deliveries over failures, when it last failed alone.
    parked: ParkedPartition | None = None  # If it was read from the parked topic.
    merges: bool = True  # Cleared once a record merged with it was refused.
    parts: tuple["Entry", ...] = ()  # The entries that were merged into it.

    @property
    def ids(self) -> list[Id]:
        return [Id("key", self.encoded.key), *sendable_ids(self.encoded)]


def sendable_ids(encoded: Encoded) -> list[Id]:
    """The user and the device under whose rate the destination counts it."""
    ids = []
    if encoded.user_id is not None:
        ids.append(Id("user", encoded.user_id))
    if encoded.device_id is not None:
        ids.append(Id("device", encoded.device_id))
    return ids


def size_of(record: Record, encoded: Encoded) -> int:
    """Their bytes in memory. A value is kept, too, for a dead letter; it may be the body."""
    value, body = record.value, encoded.body
    if value is body or value is None:
        return RECORD_BYTES + len(body)
    return RECORD_BYTES + len(body) + len(value)


def bytes_of(entries: Sequence[Entry]) -> int:
    """Their bytes in memory; a merged entry counts as what it was merged of."""
    return sum([entry.size for entry in entries])


def unmerged(entries: Sequence[Entry]) -> Sequence[Entry]:
    if any(map(_parts, entries)):
        return [one for entry in entries for one in entry.parts or (entry,)]
    return entries


def tried(entries: Sequence[Entry]) -> None:
    """One more attempt of each was answered, and not all of its batch was delivered."""
    for entry in entries:
        entry.attempts += 1
        for part in entry.parts:
            part.attempts += 1
