"""A batch: the records that are sent in one request, and the lanes that they came from."""

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from consumers.delivery.destination import Encoded
from consumers.delivery.encoded_run import EncodedRun
from consumers.delivery.entry import Entry, unmerged
from consumers.delivery.lanes import Lane
from consumers.delivery.run import Run

Part: TypeAlias = tuple[Entry, ...] | Run
Parts: TypeAlias = list[tuple[Lane, Part]]


class Drawn(Struct, frozen=True):
    """What came out of the line: parts of a batch, and entries of suppressed users."""

    parts: Parts
    empty: list[Lane]  # Lanes that became empty without giving a part.
    dropped: list[Entry]


class Batch(Struct, frozen=True, eq=False, gc=False):
    """Records that are sent together, lane by lane: all as entries, or all as runs."""

    parts: tuple[tuple[Lane, Part], ...]
    encoded: Sequence[Encoded]
    records: int  # Kafka records in it: each merged one counts.
    sent_at: float

    @property
    def size(self) -> int:
        """Bytes of all bodies."""
        return sum([len(one.body) for one in self.encoded])

    @property
    def oldest_ms(self) -> int:
        """When the oldest of its records was accepted, in milliseconds."""
        return min([_oldest_ms(part) for _, part in self.parts])

    @property
    def left_out(self) -> int:
        """How many property operations were left out of it."""
        if isinstance(self.encoded, EncodedRun):
            return 0
        return sum([one.left_out for one in self.encoded])

    @property
    def unsettled(self) -> int:
        """How many of them are ours to settle: their partitions were not revoked."""
        revoked = [part for lane, part in self.parts if not lane.offsets.is_ours]
        return self.records - sum(len(entry.parts) or 1 for part in revoked for entry in part)


def _oldest_ms(part: Part) -> int:
    if isinstance(part, Run):
        return min(part.records.timestamps)
    return min([entry.record.timestamp for entry in part])


def batch_of(parts: Parts, now: float, *, may_be_merged: bool) -> Batch:
    runs = [part for _, part in parts if isinstance(part, Run)]
    if len(runs) == len(parts):
        together = runs[0].encoded
        if len(runs) > 1:
            together = together[:]
            for run in runs[1:]:
                together.extend(run.encoded)
        return Batch(tuple(parts), together, records=len(together), sent_at=now)
    opened = tuple([(lane, tuple(part)) for lane, part in parts])
    encoded = tuple([entry.encoded for _, part in opened for entry in part])
    records = len(encoded)
    if may_be_merged:
        records = sum([len(unmerged(part)) for _, part in opened])
    return Batch(opened, encoded, records=records, sent_at=now)
