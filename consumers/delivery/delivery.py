"""The delivery engine: accept records, plan batches, settle replies.

It never looks at a clock: the caller tells it the time. It never sleeps: `wakes_at` tells the
caller when to ask again. What it decides depends only on what it was told, so one seed replays
every decision.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from random import Random
from typing import assert_never

from consumers.delivery.clocks import Clocks
from consumers.delivery.destination import Destination, Encoded, Reply, Response, judge
from consumers.delivery.lanes import Batch, Entry, Lane, Letter
from consumers.delivery.line import Line, Parts
from consumers.delivery.offsets import Offsets
from consumers.delivery.outcomes import (
    THROTTLED,
    Delivered,
    Hold,
    Id,
    Outcome,
    Pause,
    Reject,
    Resend,
    Retry,
    Skip,
    Split,
    Verdict,
)
from consumers.delivery.pace import TOO_MANY_REJECTS, Pace, Wait
from consumers.delivery.parking import ParkedPartition, unparked
from consumers.delivery.rates import Meter
from schemas.records import Record, TopicPartition

LANE_FAILURES_MAX = 3  # After as many in a row, a culprit is sought in the batch by halving it.
LONE_FAILURES_MAX = 20  # A record that fails alone so often, amid successes, is itself to blame.
ROUNDS_MAX = 5  # After as many replies that name but a few each, culprits are sought by halving.
PARK_AFTER_SECONDS = 60.0  # A longer wait is spent in Kafka, not in memory.
RELIEF_SECONDS = 0.25  # How often memory is looked through for what could wait in Kafka.
ATTEMPTS_MAX = 10  # Of a record that stands in the way while the destination seems away.
LETTERS_MAX = 10_000


class Delivery:
    def __init__(
        self,
        destination: Destination,
        *,
        topic: str,
        parked_topic: str | None,  # None: nothing can be parked, so all waits in memory.
        memory_max_bytes: int,
        random: Random,
        wait: Wait | None = None,
    ) -> None:
        self._destination = destination
        self._limits = limits = destination.limits
        self._topic = topic
        self._parked_topic = parked_topic
        self._memory_max_bytes = memory_max_bytes
        self._pace = Pace(limits, random, wait)
        company = 1 if limits.one_per_key else limits.records
        self._meter = Meter(limits.rate, company) if limits.rate else None
        self._offsets: dict[TopicPartition, Offsets] = {}
        self._parked: dict[int, ParkedPartition] = {}
        self._line = Line(destination)
        self._clocks = Clocks()
        self._dead: deque[Letter] = deque()
        self._leaving: deque[Letter] = deque()  # On their way to be parked.
        self._in_flight: set[Batch] = set()
        self._bytes = 0
        self._deliveries = 0
        self._relieved_at = 0.0

    # What the shell tells us.

    def accept(self, records: Sequence[Record], now: float) -> list[Skip]:
        """Take records that were read; returns why some need no delivery."""
        skipped: list[Skip] = []
        place, offsets = None, Offsets(0)
        for record in records:
            if place is None or place != (record.topic, record.partition):
                place = TopicPartition(record.topic, record.partition)
                offsets = self._offsets_of(place, record)
            offset = record.offset
            offsets.read(offset)
            if self._parked and self._parked_of(place.partition).was_parked(offset):
                offsets.settle((offset,))
                continue
            match self._destination.encode(record):
                case Encoded() as encoded:
                    self._line.add(Entry(record, offsets, offset, encoded), place, now)
                    self._bytes += len(encoded.body)
                case Reject(reason, detail):
                    entry = Entry(record, offsets, offset, Encoded(b"", ""))
                    self._bury(entry, reason, detail, now)
                case Skip() as skip:
                    skipped.append(skip)
                    offsets.settle((offset,))
        return skipped

    def scan(self, records: Sequence[Record], now: float) -> list[Skip]:
        """Take records that were read from the topic of the parked for the first time."""
        skipped: list[Skip] = []
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            offsets = self._offsets_of(place, record)
            offsets.read(record.offset)
            original, letter = unparked(record)
            if letter.destination != self._destination.name or original.topic != self._topic:
                offsets.settle((record.offset,))
                continue
            parked = self._parked_of(place.partition)
            key = self._key_of(original)
            is_here = original.partition == place.partition
            parked.arrived(
                key,
                record.offset,
                original.offset if is_here else None,
                letter.not_before or now,
                letter.reason,
            )
            if self.has_room and parked.loads(key, record.offset, now):
                skipped += self._load(record, key, now)
        return skipped

    def scanned(self, partition: int) -> None:
        """The parked of this partition are all known: its other records may be accepted."""
        self._parked_of(partition)

    def load(self, records: Sequence[Record], now: float) -> list[Skip]:
        """Take parked records that were read again, from where `wants` says."""
        skipped: list[Skip] = []
        for record in records:
            parked = self._parked.get(record.partition)
            if parked is None or not self.has_room:
                break
            key = self._key_of(unparked(record)[0])
            if parked.loads(key, record.offset, now):
                skipped += self._load(record, key, now)
        return skipped

    def lose(self, partition: int, before: int) -> int:
        """Kafka has deleted the parked records below this offset: how many waited there?"""
        if self._parked_topic is None or partition not in self._parked:
            return 0
        lost = self._parked[partition].lose(before)
        self._offsets[TopicPartition(self._parked_topic, partition)].settle(lost)
        return len(lost)

    def settle(self, batch: Batch, reply: Reply, now: float) -> Verdict:
        """Act on what the destination said; the verdict is returned to be counted."""
        verdict = self._judge(batch, reply, now)
        self._in_flight.remove(batch)
        assert all(0 <= index < len(batch.encoded) for index in verdict.but)
        for identity, hold in verdict.holds.items():
            self._clocks.hold(identity, hold.until(now), hold.reason)
        status = reply.status if isinstance(reply, Response) else None
        index = 0
        for lane, entries in batch.parts:
            if lane.offsets.is_ours:
                outcomes = [verdict.but.get(at, verdict.rest) for at in _span(index, entries)]
                self._settle_part(lane, entries, outcomes, len(batch.encoded), status, now, verdict)
            else:  # It was revoked in flight: all that is left of it is the room it took.
                self._bytes -= _size(entries)
            index += len(entries)
        return verdict

    def dead_lettered(self, letter: Letter) -> None:
        """The dead letter topic has the record."""
        self._depart(letter.entry)

    def parked(self, letters: Iterable[Letter]) -> None:
        """The topic of the parked has these records."""
        for letter in letters:
            self._depart(letter.entry)

    def revoke(self, places: Iterable[TopicPartition]) -> None:
        """These partitions are another consumer's now: forget their records."""
        gone = list(places)
        for place in gone:
            if offsets := self._offsets.pop(place, None):
                offsets.is_ours = False
            self._parked.pop(place.partition, None)
        self._bytes -= _size(self._line.leave(gone))
        for letters in (self._dead, self._leaving):
            for letter in list(letters):
                if not letter.entry.offsets.is_ours:
                    letters.remove(letter)
                    self._bytes -= len(letter.entry.encoded.body)

    # What the shell asks us.

    def next_batch(self, now: float) -> Batch | None:
        """The next batch to send, if one may go now."""
        self._wake(now)
        if now < self._pace.paused_until or len(self._in_flight) >= self._pace.in_flight_max:
            return None
        while self._line and self._line.is_due(now):
            room = 1 if self._pace.is_probing else self._pace.records_max
            is_calm = not (self._clocks or self._parked_keys())
            parts, empty = self._line.draw(
                now, room, self._pace.bytes_max, self._must_wait, is_calm=is_calm
            )
            for lane in empty:
                self._set_aside(lane, now)
            if parts:
                return self._launch(parts, now)
            if not empty:
                return None
        return None

    def next_dead_letter(self) -> Letter | None:
        return self._dead.popleft() if self._dead else None

    def next_parking(self) -> Letter | None:
        """To be written in this order, of each key."""
        return self._leaving.popleft() if self._leaving else None

    def wants(self, now: float) -> TopicPartition | None:
        """A partition of which parked records are to be read again, from `wanted_from`."""
        if self._parked_topic is None or not self.has_room:
            return None
        for partition, parked in self._parked.items():
            parked.wake(now)
            if parked.wanted() is not None:
                return TopicPartition(self._parked_topic, partition)
        return None

    def wanted_from(self, partition: int) -> int:
        """The lowest offset that is wanted of a partition that `wants` named."""
        offset = self._parked[partition].wanted()
        assert offset is not None
        return offset

    def committable(self) -> dict[TopicPartition, int]:
        return {place: offsets.committable for place, offsets in self._offsets.items()}

    @property
    def has_room(self) -> bool:
        letters = len(self._dead) + len(self._leaving)
        return self._bytes < self._memory_max_bytes and letters < LETTERS_MAX

    def full(self) -> set[TopicPartition]:
        """The partitions of which no more should be read, though there is room."""
        span_max = self._limits.span_max
        return {
            place
            for place, offsets in self._offsets.items()
            if place.topic == self._topic and offsets.span >= span_max
        }

    @property
    def paused(self) -> str | None:
        return self._pace.paused

    @property
    def concurrency_limit(self) -> int:
        return self._pace.in_flight_max

    @property
    def deliveries(self) -> int:
        """How many batches were delivered."""
        return self._deliveries

    @property
    def in_flight(self) -> int:
        """How many requests fly."""
        return len(self._in_flight)

    def unsettled(self) -> int:
        """Records that were read and are not settled, whether in memory or parked."""
        return sum(offsets.unsettled for offsets in self._offsets.values())

    def held(self) -> int:
        """Records in memory whose user, device or key has to wait."""
        return sum(len(waits) for lane in self._line for waits in lane.waiting.values())

    def parked_records(self) -> int:
        return sum(len(k.unloaded) for p in self._parked.values() for k in p.keys.values())

    def oldest(self) -> float | None:
        """When the oldest record was accepted that is not settled, in seconds."""
        stamps = [stamp for offsets in self._offsets.values() if (stamp := offsets.oldest)]
        return min(stamps) / 1000 if stamps else None

    def read_to(self, place: TopicPartition) -> int | None:
        """The next offset of a partition to be read, once something was."""
        offsets = self._offsets.get(place)
        return None if offsets is None else offsets.read_to

    def holds(self, place: TopicPartition) -> Iterable[tuple[int, str, float]]:
        """Of a partition's held records: offset, reason, and until when."""
        for lane in self._line:
            if lane.place == place:
                for entries in lane.waiting.values():
                    clock = self._clocks.of(entries[0].ids)
                    if clock is not None:
                        yield entries[0].offset, clock.reason, clock.until

    def unsettled_ranges(self, place: TopicPartition, limit: int) -> list[list[int]]:
        """Of a partition: the first and last offsets of what is not settled yet."""
        offsets = self._offsets.get(place)
        return [] if offsets is None else offsets.unsettled_ranges(limit)

    def wakes_at(self) -> float | None:
        """When to plan again, if nothing else happens before."""
        times = [self._clocks.next_at]  # What is parked is not planned, but asked for by `wants`.
        if self._line and len(self._in_flight) < self._pace.in_flight_max:
            times.append(max(self._pace.paused_until, self._line.due_at()))
        return min((at for at in times if at is not None), default=None)

    # How we take records in.

    def _offsets_of(self, place: TopicPartition, record: Record) -> Offsets:
        offsets = self._offsets.get(place)
        if offsets is None:
            offsets = self._offsets[place] = Offsets(record.offset)
        offsets.stamp(record.offset, record.timestamp)
        return offsets

    def _parked_of(self, partition: int) -> ParkedPartition:
        parked = self._parked.get(partition)
        if parked is None:
            parked = self._parked[partition] = ParkedPartition()
        return parked

    def _parked_keys(self) -> bool:
        return any(parked.keys for parked in self._parked.values())

    def _key_of(self, original: Record) -> str:
        """A parked record's key; a producer may have left it to us to fill it in."""
        if original.key is not None:
            return original.key.decode(errors="replace")
        encoded = self._destination.encode(original)
        return encoded.key if isinstance(encoded, Encoded) else ""

    def _load(self, record: Record, key: str, now: float) -> list[Skip]:
        place = TopicPartition(record.topic, record.partition)
        offsets, parked = self._offsets[place], self._parked[place.partition]
        original, letter = unparked(record)
        encoded = self._destination.encode(original)
        body = encoded if isinstance(encoded, Encoded) else Encoded(b"", key)
        entry = Entry(original, offsets, record.offset, body, parked=parked)
        entry.attempts, entry.status = letter.attempts, letter.status
        entry.first_failed_at = letter.first_failed_at or None
        if parked.keys[key].suspect[0] == entry.offset:
            _, entry.lone_failures, entry.failed_after = parked.keys[key].suspect
        match encoded:
            case Encoded():
                self._line.add(entry, place, now)
                self._bytes += len(body.body)
            case Reject(reason, detail):
                self._bury(entry, reason, detail, now)
            case Skip() as skip:
                self._done(offsets, (entry,))
                return [skip]
        return []

    # How we decide what goes.

    def _must_wait(self, lane: Lane, entry: Entry) -> bool:
        key = entry.encoded.key
        if key in lane.waiting or self._clocks.of(entry.ids):
            return True
        parked = self._parked.get(lane.place.partition)
        if parked is None:
            return False
        return parked.is_overtaking(key, entry.offset) if lane.is_parked else key in parked

    def _launch(self, parts: Parts, now: float) -> Batch:
        entries = [entry for _, part in parts for entry in part]
        encoded = tuple([entry.encoded for entry in entries])
        for entry in entries:
            for one in entry.parts or (entry,):
                one.attempts += 1
        if self._meter is not None:
            for identity, until in self._meter.sent(encoded, now):
                self._clocks.hold(identity, until, "pace")
        batch = Batch(
            tuple((lane, part) for lane, part in parts),
            encoded,
            size=sum(len(e.body) for e in encoded),
            sent_at=now,
        )
        self._in_flight.add(batch)
        return batch

    def _wake(self, now: float) -> None:
        for parked in self._parked.values():
            parked.wake(now)  # Else `wakes_at` would name the same past moment for ever.
        if self._clocks.wake(now):
            for lane in self._line:
                if lane.waiting and lane.idle:
                    lane.release(self._is_held)
                    self._line.enter(lane)
        if now >= self._relieved_at + RELIEF_SECONDS:
            self._relieved_at = now
            for lane in self._line:
                if lane.waiting and lane.idle:
                    self._set_aside(lane, now)
                    lane.release(self._has_to_wait)
                    self._line.enter(lane)

    def _has_to_wait(self, entry: Entry) -> bool:
        """Also for no other reason than that older ones of its key are parked."""
        parked = self._parked.get(entry.record.partition)
        is_behind = parked is not None and entry.parked is None and entry.encoded.key in parked
        return is_behind or self._is_held(entry)

    def _is_held(self, entry: Entry) -> bool:
        return self._clocks.of(entry.ids) is not None

    def _set_aside(self, lane: Lane, now: float) -> None:
        """What would wait too long, or takes too much room, waits in Kafka from here on."""
        if self._parked_topic is None or not (lane.waiting and lane.idle):
            return
        is_pressed = self._is_pressed(lane)
        if not (lane.waits_are_new or is_pressed):
            return
        lane.waits_are_new = False
        parked = self._parked_of(lane.place.partition)
        for key, entries in list(lane.waiting.items()):
            clock = self._clocks.of(entries[0].ids)
            # In an outage everybody waits; only who fails and fails again may be another case.
            is_in_the_way = is_pressed and (
                self._pace.paused is None or entries[0].attempts >= ATTEMPTS_MAX
            )
            is_long = clock is not None and (
                is_in_the_way or clock.until > now + PARK_AFTER_SECONDS
            )
            follows = (
                parked.is_overtaking(key, entries[0].offset) if lane.is_parked else key in parked
            )
            if not (is_long or follows):
                continue
            known = parked.keys.get(key)
            until, reason = clock or (
                (known.due_at, known.reason) if known is not None else (now, "parked")
            )
            del lane.waiting[key]
            if lane.is_parked:
                self._bytes -= _size(entries)
                parked.unload(key, [entry.offset for entry in entries], until, reason)
                first = entries[0]
                parked.keys[key].suspect = first.offset, first.lone_failures, first.failed_after
            else:
                for entry in entries:
                    parked.park(key, entry.offset, until, reason)
                    failed_at = entry.first_failed_at or now
                    self._leaving.append(Letter(entry, reason, "", failed_at, until))

    def _is_pressed(self, lane: Lane) -> bool:
        """Whether what waits in this lane stands in the way of others."""
        if not lane.is_parked and lane.offsets.span >= self._limits.span_max:
            return True
        if self.has_room:
            return False
        held = sum(_size(entries) for lane in self._line for entries in lane.waiting.values())
        return held > self._memory_max_bytes // 2

    # How we act on a reply.

    def _judge(self, batch: Batch, reply: Reply, now: float) -> Verdict:
        """The destination's verdict, unless it says more about us than about the records."""
        verdict = judge(self._destination, reply, batch.encoded)
        rest, company = verdict.rest, len(batch.encoded)
        if isinstance(rest, Pause) and rest.may_be_content and self._is_amid(batch):
            rest = Split("forbidden", rest.reason)
            verdict = Verdict(rest)
        rejected = sum(isinstance(outcome, Reject) for outcome in verdict.but.values())
        if isinstance(rest, Reject) or (isinstance(rest, Split) and company == 1):
            rejected += company - len(verdict.but)
        was_paused = self._pace.paused
        if (rejected or isinstance(rest, Delivered)) and self._pace.judged(company, rejected):
            pause = Pause(TOO_MANY_REJECTS)
            self._pace.failed(pause, now)
            # A probe may be buried: it was alone. Of a whole batch nothing is, until we know.
            return verdict if was_paused == TOO_MANY_REJECTS else Verdict(pause)
        match rest:
            case Pause() if _is_suspect(batch, rest):
                pass  # Others get through: it may try on alone.
            case Retry() | Pause():
                self._pace.failed(rest, now)
            case _:
                self._pace.answered(now - batch.sent_at, now)
                self._deliveries += isinstance(rest, Delivered)
        if isinstance(rest, Split) and rest.is_size:
            self._pace.too_large(batch.size, now)
        return verdict

    def _is_amid(self, batch: Batch) -> bool:
        """Whether others got through since one of its lanes last failed like this."""
        return len(batch.encoded) > 1 and any(
            lane.failures > 0 and lane.failed_after < self._deliveries for lane, _ in batch.parts
        )

    def _settle_part(
        self,
        lane: Lane,
        entries: tuple[Entry, ...],
        outcomes: Sequence[Outcome],
        company: int,
        status: int | None,
        now: float,
        verdict: Verdict,
    ) -> None:
        lane.idle = True
        lane.due_at = now
        if isinstance(verdict.rest, Delivered) and not verdict.but:
            lane.failures = lane.rounds = lane.sought = 0
            self._done(lane.offsets, entries)
        else:
            left: list[Entry] = []
            for entry, outcome in zip(entries, outcomes, strict=True):
                left += self._follow(lane, entry, outcome, company, status, now)
            # Of a key, all or none: what waits must not be older than what is in line.
            stopped = {entry.encoded.key for entry in left if self._is_held(entry)}
            stopped.update(lane.waiting)
            lane.wait_first([entry for entry in left if entry.encoded.key in stopped])
            again = [entry for entry in left if entry.encoded.key not in stopped]
            if isinstance(verdict.rest, Split) and len(again) < len(left):
                lane.sought = (len(left) + 1) // 2  # Halves would be forgotten while they wait.
            self._put_back(lane, again, verdict, now)
        if lane.waiting:
            lane.release(self._is_held)
            self._set_aside(lane, now)
        self._line.enter(lane)

    def _put_back(self, lane: Lane, again: list[Entry], verdict: Verdict, now: float) -> None:
        match verdict.rest:
            case Split():
                lane.failures += 1
                lane.failed_after = self._deliveries
                lane.put_back_halved(again)
            case Retry() | Pause() if again or isinstance(verdict.rest, Pause):
                lane.failures += 1
                lane.failed_after = self._deliveries
                if isinstance(verdict.rest, Retry):
                    lane.due_at = now + self._pace.backoff(lane.failures)
                if (
                    isinstance(verdict.rest, Retry)
                    and lane.failures % LANE_FAILURES_MAX == 0
                    and len(again) > 1
                ):
                    lane.put_back_halved(again)
                else:
                    lane.put_back(again)
                self._isolate(lane, len(again))
            case Resend() if verdict.but:
                lane.failures = 0
                lane.rounds += 1
                # Some answers name one culprit a time: that would be as many rounds as culprits.
                if lane.rounds >= ROUNDS_MAX and len(again) > 1:
                    lane.put_back_halved(again)
                else:
                    lane.put_back(again)
            case _:
                lane.failures = 0
                lane.put_back(again)

    def _isolate(self, lane: Lane, size: int) -> None:
        """What failed together is tried together: company would take part in its guilt."""
        if not lane.groups and 0 < size < len(lane.queue):
            lane.groups.append(size)

    def _follow(
        self,
        lane: Lane,
        entry: Entry,
        outcome: Outcome,
        company: int,
        status: int | None,
        now: float,
    ) -> Sequence[Entry]:
        """Do what the outcome asks for; returns what must go out again, now or later."""
        is_alone = company == 1 and isinstance(outcome, Split | Retry | Pause)
        if entry.parts and not isinstance(outcome, Delivered | Skip):
            if isinstance(outcome, Hold):
                self._clocks.hold(self._blamed(entry), outcome.until(now), outcome.reason)
            is_suspect = is_alone or isinstance(outcome, Reject)
            return self._taken_apart(entry, status, now, is_suspect=is_suspect)
        match outcome:
            case Delivered() | Skip():
                self._done(lane.offsets, (entry,))
                return ()
            case Reject(reason, detail):
                self._bury(entry, reason, detail, now, status)
                return ()
            case Split(reason, detail) if company == 1:
                self._bury(entry, reason, detail, now, status)
                return ()
            case Hold() as hold:
                self._clocks.hold(self._blamed(entry), hold.until(now), hold.reason)
            case Retry(reason) if company == 1:
                if reason != THROTTLED and self._is_poison(entry):
                    self._bury(entry, reason, "it fails alone, others do not", now, status)
                    return ()
                # Let the others of its lane go by, and see whether they get through.
                self._hold_key(entry, self._pace.backoff(entry.attempts), reason, now)
            case Pause(reason, may_be_content=True) if company == 1:
                if self._is_poison(entry):
                    self._bury(entry, "forbidden", "it fails alone, others do not", now, status)
                    return ()
                self._hold_key(entry, self._pace.backoff(entry.attempts), reason, now)
            case Resend():
                return (entry,)
            case Split() | Retry() | Pause():
                pass
            case unknown:
                assert_never(unknown)
        entry.first_failed_at = entry.first_failed_at or now
        entry.status = status
        return (entry,)

    def _taken_apart(
        self, entry: Entry, status: int | None, now: float, *, is_suspect: bool
    ) -> Sequence[Entry]:
        """What was merged goes again as it came; one by one, if one of them may be to blame."""
        for part in entry.parts:
            part.merges = part.merges and not is_suspect
            part.first_failed_at = part.first_failed_at or now
            part.status = status
        return entry.parts

    def _is_poison(self, entry: Entry) -> bool:
        """Whether a record that failed alone has done so too often while others got through."""
        entry.lone_failures += 0 <= entry.failed_after < self._deliveries
        entry.failed_after = self._deliveries
        return entry.lone_failures >= LONE_FAILURES_MAX

    def _blamed(self, entry: Entry) -> Id:
        """An entry that has to wait, by index: whose clock is it?"""
        for identity in entry.ids[1:]:
            if self._clocks.of((identity,)):
                return identity
        return entry.ids[0]

    def _hold_key(self, entry: Entry, seconds: float, reason: str, now: float) -> None:
        self._clocks.hold(Id("key", entry.encoded.key), now + seconds, reason)

    # How records leave us.

    def _bury(
        self, entry: Entry, reason: str, detail: str, now: float, status: int | None = None
    ) -> None:
        entry.status = status
        self._dead.append(Letter(entry, reason, detail, entry.first_failed_at or now))

    def _depart(self, entry: Entry) -> None:
        """Another topic has it."""
        if entry.offsets.is_ours:
            self._done(entry.offsets, (entry,))
        else:
            self._bytes -= len(entry.encoded.body)

    def _done(self, offsets: Offsets, entries: Sequence[Entry]) -> None:
        if any(entry.parts for entry in entries):
            entries = [one for entry in entries for one in entry.parts or (entry,)]
        offsets.settle([entry.offset for entry in entries])
        self._bytes -= _size(entries)
        if entries and entries[0].parked is not None:
            for entry in entries:
                if entry.parked is not None:
                    entry.parked.settled(entry.encoded.key)


def _is_suspect(batch: Batch, pause: Pause) -> bool:
    """Whether it is a single record that failed alone before, while others got through."""
    [(_, entries), *others] = batch.parts
    is_alone = not others and len(entries) == 1
    return pause.may_be_content and is_alone and entries[0].lone_failures > 0


def _span(first: int, entries: Sequence[Entry]) -> range:
    return range(first, first + len(entries))


def _size(entries: Iterable[Entry]) -> int:
    """The bytes in memory: of merged ones, those that they were merged of."""
    return sum(
        len(entry.encoded.body) if not entry.parts else _size(entry.parts) for entry in entries
    )
