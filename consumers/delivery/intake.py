"""Records come in: from their topic, and from the parked topic."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from consumers.delivery import border
from consumers.delivery.destination import Destination, Encoded
from consumers.delivery.entry import RECORD_BYTES, Entry, size_of
from consumers.delivery.line import Line
from consumers.delivery.offsets import Offsets
from consumers.delivery.outcomes import SUPPRESSED, Reject, Skip
from consumers.delivery.parking import Original, accepted_ms, unparked, wakes_at
from consumers.delivery.run import run_of
from consumers.delivery.stock import Stock
from consumers.delivery.waits import Waits
from schemas.columns import Columns
from schemas.decoding import NOT_DECODED
from schemas.keys import key_in
from schemas.letters import LetterHeaders, is_reference, waiting
from schemas.records import Record, TopicPartition
from schemas.suppressions import Suppressions
from schemas.topics import Kind


class _OfSomebody(Struct):
    user_id: object = None


_of_somebody = msgspec.json.Decoder(_OfSomebody)


class Due(NamedTuple):
    """A parked record that is queued now, and what it says."""

    record: Record
    key: str
    original: Record
    letter: LetterHeaders


class Intake:
    def __init__(
        self,
        destination: Destination,
        topic: str,
        line: Line,
        stock: Stock,
        waits: Waits,
        suppressed: Suppressions,
    ) -> None:
        self._suppressed = suppressed
        self._destination = destination
        self._topic = topic
        self._name = destination.name.encode()
        self._line = line
        self._stock = stock
        self._waits = waits
        limits = destination.limits
        # Where a request has one record, or one of each key, each is looked at anyway.
        self._takes_runs = limits.lanes == 1 < limits.records and not limits.one_per_key

    def accept(self, records: Sequence[Record], now: float) -> list[Skip]:
        """Take records that were read from one partition; returns why some need no delivery."""
        if not records:
            return []
        place = TopicPartition(records[0].topic, records[0].partition)
        offsets = self._stock.offsets_of(place, records[0])
        parked = self._waits.parked.get(place.partition)
        seen = parked.seen if parked is not None else None
        is_known = bool(seen) or records[0].offset < offsets.left_to
        if isinstance(records, Columns):
            skips = None if is_known else self._take_run(records, place, offsets, now)
            if skips is not None:
                return skips
            records = list(records)
        fresh, settled = _divided(records, offsets, seen or {}) if is_known else (records, [])
        outcomes = border.encode_all(self._destination, fresh)
        taken = [
            Entry(record, offsets, record.offset, outcome, size_of(record, outcome))
            for record, outcome in zip(fresh, outcomes, strict=True)
            if isinstance(outcome, Encoded)
        ]
        dead: list[tuple[Entry, Reject]] = []
        skipped: list[Skip] = []
        if len(taken) < len(fresh):
            for record, outcome in zip(fresh, outcomes, strict=True):
                match outcome:
                    case Reject() if self._is_suppressed(record):
                        skipped.append(SUPPRESSED)
                    case Reject() as reject:
                        body = Encoded(record.value or b"", "")
                        entry = Entry(record, offsets, record.offset, body, size_of(record, body))
                        dead.append((entry, reject))
                    case Skip() as skip:
                        skipped.append(skip)
        kept = [*taken, *(entry for entry, _ in dead)]
        own = sorted([entry.offset for entry in kept] + settled)
        offsets.read(own, records[-1].offset + 1)
        offsets.settle(settled)
        if parked is not None and seen:
            parked.forget_seen(offsets.read_to)
        self._stock.enter(kept)
        if self._waits.inherited.get(place):
            self._waits.inherit(place, taken, now)
        self._line.add(taken, place, now)
        for entry, reject in dead:
            self._stock.dead_letter(entry, reject.reason, reject.detail, now)
        return skipped

    def _take_run(
        self, records: Columns, place: TopicPartition, offsets: Offsets, now: float
    ) -> list[Skip] | None:
        """Take them as a run; None where each has to be looked at, and nothing was done."""
        if not self._takes_runs or self._waits.inherited.get(place):
            return None
        encoded = border.encode_run(self._destination, records)
        if encoded is None:
            return None
        sent = records if encoded.are_sent is None else records.only(encoded.are_sent)
        offsets.read(sent.offsets, records.offsets[-1] + 1)
        if sent:
            run = run_of(offsets, sent, encoded.run)
            self._stock.enter(run)
            self._line.add_run(run, place, now)
        return list(encoded.skips)

    def scan(self, records: Sequence[Record], now: float) -> list[Skip]:
        """Take records that were read from a parked partition for the first time."""
        if not records:
            return []
        place = TopicPartition(records[0].topic, records[0].partition)
        own = TopicPartition(self._topic, place.partition)
        offsets = self._stock.offsets_of(place, records[0])
        due: list[Due] = []
        room = self._stock.room
        for record in records:
            letter = waiting(record.headers, self._name, self._topic)
            if letter is None:
                continue
            offsets.read((record.offset,), record.offset + 1)
            parked = self._waits.parked_of(place.partition)
            came_from = letter.origin.offset if letter.origin.place == own else None
            if came_from is not None and self._stock.may_be_read_again(own, came_from):
                parked.know(Original(came_from, accepted_ms(letter, record)))
            if offsets.was_settled(record.offset):
                offsets.settle((record.offset,))
                continue
            key = self._key_of(record)
            reason, until = letter.reason or "parked", wakes_at(letter, record, now)
            if held := self._waits.inherited.get(place, {}).pop(record.offset, None):
                _, reason, until = held
            parked.arrived(key, record.offset, came_from, until, reason)
            is_whole = not is_reference(record)  # Else loading reads its bytes.
            if is_whole and room > 0 and parked.loads(key, record.offset, now):
                due.append(Due(record, key, *unparked(record)))
                room -= RECORD_BYTES + len(record.value or b"")
        offsets.read((), records[-1].offset + 1)
        return self._take_again(due, now)

    def load(self, records: Sequence[Record], now: float) -> list[Skip]:
        """Take parked records that were read again, from where `wants` says."""
        due: list[Due] = []
        room = self._stock.room
        for record in records:
            parked = self._waits.parked.get(record.partition)
            if parked is None or room <= 0:
                break
            key = self._key_of(record)
            if parked.loads(key, record.offset, now):
                due.append(Due(record, key, *unparked(record)))
                room -= RECORD_BYTES + len(record.value or b"")
        return self._take_again(due, now)

    def _take_again(self, due: Sequence["Due"], now: float) -> list[Skip]:
        """Take parked records that count as loaded; all of one partition."""
        if not due:
            return []
        place = TopicPartition(due[0].record.topic, due[0].record.partition)
        offsets, parked = self._stock.offsets[place], self._waits.parked[place.partition]
        outcomes = border.encode_all(self._destination, [one.original for one in due])
        skipped: list[Skip] = []
        taken: list[Entry] = []
        for (record, key, original, letter), outcome in zip(due, outcomes, strict=True):
            body = outcome if isinstance(outcome, Encoded) else Encoded(original.value or b"", key)
            size = size_of(original, body)
            entry = Entry(original, offsets, record.offset, body, size, parked=parked)
            self._stock.enter((entry,))
            entry.attempts, entry.status = letter.attempts, letter.status
            entry.first_failed_at = letter.first_failed_at or None
            if (suspect := parked.keys[key].suspect)[0] == entry.offset:
                _, entry.lone_failures, entry.failed_after, entry.lead = suspect
            match outcome:
                case Encoded():
                    taken.append(entry)
                case Reject() if self._is_suppressed(original):
                    self._stock.done(offsets, (entry,))
                    skipped.append(SUPPRESSED)
                case Reject(reason, detail):
                    self._stock.dead_letter(entry, reason, detail, now)
                case Skip() as skip:
                    self._stock.done(offsets, (entry,))
                    skipped.append(skip)
        self._line.add(taken, place, now)
        return skipped

    def _is_suppressed(self, record: Record) -> bool:
        """Whether a record that nobody can use is of a suppressed user: then it is no dead letter.

        One that can be used is dropped when it is to be sent.
        """
        if not self._suppressed or self._destination.kind is Kind.GROUP_PROPERTIES:
            return False
        key = (record.key or b"").decode(errors="replace")
        return key in self._suppressed or _user_id_in(record.value) in self._suppressed

    def _key_of(self, record: Record) -> str:
        """A parked record's key; filled in here if the producer left it out.

        The same each time it is read, whatever the destination makes of it by then.
        """
        if record.key is not None:
            return record.key.decode(errors="replace")
        return key_in(record.value, self._destination.kind)


def _divided(
    records: Sequence[Record], offsets: Offsets, seen: Mapping[int, int]
) -> tuple[Sequence[Record], list[int]]:
    """Those to be delivered, and the offsets of those that were settled or parked before."""
    fresh: list[Record] = []
    settled: list[int] = []
    for record in records:
        is_seen = seen.get(record.offset) == record.timestamp
        if is_seen or offsets.was_settled(record.offset):
            settled.append(record.offset)
        else:
            fresh.append(record)
    return fresh, settled


def _user_id_in(value: bytes | None) -> object:
    """The user of a record, as far as its value can be read."""
    try:
        return _of_somebody.decode(value or b"").user_id
    except NOT_DECODED:
        return None
