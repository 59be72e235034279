"""The delivery engine: accept records, plan batches, settle replies.

It never looks at a clock: the caller tells it the time. It never sleeps: `wakes_at` tells the
caller when to ask again. What it decides depends only on what it was told, so one seed replays
every decision.
"""

from collections import deque
from collections.abc import Iterable
from heapq import heappop, heappush
from random import Random
from typing import assert_never
from zlib import crc32

from consumers.delivery.destination import Destination, Encoded, Reply, Response, judge
from consumers.delivery.lanes import Batch, DeadLetter, Entry, Lane
from consumers.delivery.offsets import Offsets
from consumers.delivery.outcomes import (
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
from consumers.delivery.pace import Pace
from schemas.records import Record, TopicPartition

LANE_FAILURES_MAX = 3  # After as many in a row, a culprit is sought in the batch by halving it.
LONE_FAILURES_MAX = 20  # A record that fails alone so often, amid successes, is itself to blame.


class Delivery:
    def __init__(self, destination: Destination, *, memory_max_bytes: int, random: Random) -> None:
        self._destination = destination
        self._limits = destination.limits
        self._memory_max_bytes = memory_max_bytes
        self._pace = Pace(destination.limits.concurrency, random)
        self._offsets: dict[TopicPartition, Offsets] = {}
        self._lanes: dict[tuple[TopicPartition, int], Lane] = {}
        self._ready: dict[Lane, None] = {}  # Idle lanes with entries; a dict, for its order.
        self._clocks: dict[Id, float] = {}
        self._alarms: list[tuple[float, Id]] = []
        self._letters: deque[DeadLetter] = deque()
        self._in_flight: set[Batch] = set()
        self._bytes = 0
        self._deliveries = 0

    # What the shell tells us.

    def accept(self, records: Iterable[Record], now: float) -> list[Skip]:
        """Take records that were read; returns why some need no delivery."""
        skipped: list[Skip] = []
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            offsets = self._offsets.get(place)
            if offsets is None:
                offsets = self._offsets[place] = Offsets(record.offset)
            offsets.read(record.offset)
            match self._destination.encode(record):
                case Encoded() as encoded:
                    self._line_up(Entry(record, offsets, encoded), place, now)
                case Reject(reason, detail):
                    self._letters.append(DeadLetter(record, offsets, reason, detail, None, 0, now))
                case Skip() as skip:
                    skipped.append(skip)
                    offsets.settle([record.offset])
        return skipped

    def settle(self, batch: Batch, reply: Reply, now: float) -> Verdict:
        """Act on what the destination said; the verdict is returned to be counted."""
        self._in_flight.remove(batch)
        verdict = judge(self._destination, reply, batch.encoded)
        assert all(0 <= index < len(batch.encoded) for index in verdict.but)
        status = reply.status if isinstance(reply, Response) else None
        self._learn(verdict.rest, now)
        for identity, hold in verdict.holds.items():
            self._hold(identity, hold.seconds, now)
        index = 0
        for lane, entries in batch.parts:
            if lane.offsets.is_ours:
                self._settle_part(lane, entries, len(batch.encoded), verdict, index, status, now)
            else:  # It was revoked in flight: all that is left of it is the room it took.
                self._bytes -= sum(len(entry.encoded.body) for entry in entries)
            index += len(entries)
        return verdict

    def dead_lettered(self, letter: DeadLetter) -> None:
        """The dead letter topic has the record."""
        if letter.offsets.is_ours:
            letter.offsets.settle([letter.record.offset])

    def revoke(self, partitions: Iterable[TopicPartition]) -> None:
        """These partitions are another consumer's now: forget their records."""
        for place in partitions:
            if offsets := self._offsets.pop(place, None):
                offsets.is_ours = False
        for at, lane in list(self._lanes.items()):
            if not lane.offsets.is_ours:
                del self._lanes[at]
                self._ready.pop(lane, None)
                for entries in (lane.queue, *lane.waiting.values()):
                    self._bytes -= sum(len(entry.encoded.body) for entry in entries)
        self._letters = deque(letter for letter in self._letters if letter.offsets.is_ours)

    # What the shell asks us.

    def next_batch(self, now: float) -> Batch | None:
        """The next batch to send, if one may go now."""
        self._wake(now)
        if now < self._pace.paused_until or len(self._in_flight) >= self._pace.in_flight_max:
            return None
        while self._is_due(now):
            if batch := self._draw(now):
                self._in_flight.add(batch)
                return batch
        return None

    def next_dead_letter(self) -> DeadLetter | None:
        return self._letters.popleft() if self._letters else None

    def committable(self) -> dict[TopicPartition, int]:
        return {place: offsets.committable for place, offsets in self._offsets.items()}

    @property
    def has_room(self) -> bool:
        return self._bytes < self._memory_max_bytes and len(self._letters) < 10_000

    def full(self) -> set[TopicPartition]:
        """The partitions of which no more should be read, though there is room."""
        span_max = self._limits.span_max
        if span_max is None:
            return set()
        return {place for place, offsets in self._offsets.items() if offsets.span >= span_max}

    @property
    def paused(self) -> str | None:
        return self._pace.paused

    @property
    def concurrency_limit(self) -> int:
        return self._pace.in_flight_max

    @property
    def in_flight(self) -> int:
        """How many requests fly."""
        return len(self._in_flight)

    def unsettled(self) -> int:
        return sum(offsets.unsettled for offsets in self._offsets.values())

    def held(self) -> int:
        return sum(len(w) for lane in self._lanes.values() for w in lane.waiting.values())

    def wakes_at(self) -> float | None:
        """When to plan again, if nothing else happens before."""
        times = [self._alarms[0][0]] if self._alarms else []
        if self._ready and len(self._in_flight) < self._pace.in_flight_max:
            times.append(max(self._pace.paused_until, min(lane.due_at for lane in self._ready)))
        return min(times, default=None)

    # How we decide.

    def _line_up(self, entry: Entry, place: TopicPartition, now: float) -> None:
        lanes = self._limits.lanes
        number = crc32(entry.encoded.key.encode()) % lanes if lanes > 1 else 0
        lane = self._lanes.get((place, number))
        if lane is None:
            lane = self._lanes[place, number] = Lane(entry.offsets)
        if not lane.queue:
            lane.due_at = max(lane.due_at, now + self._limits.linger_seconds)
        lane.queue.append(entry)
        self._bytes += len(entry.encoded.body)
        if lane.idle:
            self._ready[lane] = None

    def _is_due(self, now: float) -> bool:
        if not self._ready:
            return False
        if self._limits.linger_seconds == 0.0:
            return next(iter(self._ready)).due_at <= now or self._rotate(now)
        if self._rotate(now):
            return True
        queued = sum(len(lane.queue) for lane in self._ready if lane.failures == 0)
        return queued >= self._limits.records

    def _rotate(self, now: float) -> bool:
        """Bring a lane that is due to the front of the line, if there is one."""
        for lane in self._ready:
            if lane.due_at <= now:
                del self._ready[lane]
                self._ready = {lane: None, **self._ready}
                return True
        return False

    def _draw(self, now: float) -> Batch | None:
        """Fill a batch from the lanes in line; what has to wait steps out of it."""
        room = 1 if self._pace.is_probing else self._limits.records
        bytes_left = self._limits.bytes
        parts: list[tuple[Lane, tuple[Entry, ...]]] = []
        drained: list[Lane] = []
        keys: set[str] = set()
        for lane in self._ready:
            in_backoff = lane.due_at > now + self._limits.linger_seconds
            if in_backoff or (parts and lane.groups):
                continue
            alone = bool(lane.groups)
            taken, bytes_left, is_full = self._take(lane, room, bytes_left, keys, bool(parts))
            if taken:
                parts.append((lane, tuple(taken)))
                room -= len(taken)
                lane.idle = False
            if taken or not lane.queue:
                drained.append(lane)
            if room <= 0 or alone or is_full:
                break
        for lane in drained:
            del self._ready[lane]
        if not parts:
            return None
        entries = [entry for _, part in parts for entry in part]
        for entry in entries:
            entry.attempts += 1
        return Batch(tuple(parts), tuple(entry.encoded for entry in entries))

    def _take(
        self, lane: Lane, room: int, bytes_left: int, keys: set[str], has_company: bool
    ) -> tuple[list[Entry], int, bool]:
        """From one lane: the entries, the bytes still free, and whether the batch is full."""
        taken: list[Entry] = []
        troubled = bool(self._clocks or lane.waiting)
        left = lane.groups.popleft() if lane.groups else len(lane.queue)
        is_full = False
        while left and len(taken) < room:
            entry = lane.queue[0]
            size = len(entry.encoded.body) + 1
            if troubled and (entry.encoded.key in lane.waiting or self._is_held(entry)):
                lane.wait(lane.queue.popleft())
                left -= 1
                continue
            if size > bytes_left and (taken or has_company):
                is_full = True
                break
            if self._limits.one_per_key:
                if entry.encoded.key in keys:
                    is_full = True
                    break
                keys.add(entry.encoded.key)
            taken.append(lane.queue.popleft())
            bytes_left -= size
            left -= 1
        if left and (lane.groups or left < len(lane.queue)):
            lane.groups.appendleft(left)
        return taken, bytes_left, is_full

    def _is_held(self, entry: Entry) -> bool:
        return any(identity in self._clocks for identity in entry.ids)

    def _learn(self, outcome: Outcome, now: float) -> None:
        match outcome:
            case Retry() | Pause():
                self._pace.failed(outcome, now)
            case _:
                self._pace.answered()
                self._deliveries += isinstance(outcome, Delivered)

    def _settle_part(
        self,
        lane: Lane,
        entries: tuple[Entry, ...],
        company: int,
        verdict: Verdict,
        first: int,
        status: int | None,
        now: float,
    ) -> None:
        lane.idle = True
        lane.due_at = now
        if isinstance(verdict.rest, Delivered) and not verdict.but and not verdict.holds:
            lane.failures = 0
            self._done(lane.offsets, entries)
        else:
            left = [
                entry
                for index, entry in enumerate(entries, first)
                if self._follow(
                    lane, entry, verdict.but.get(index, verdict.rest), company, status, now
                )
            ]
            # Of a key, all or none: what waits must not be older than what is in line.
            stopped = {entry.encoded.key for entry in left if self._is_held(entry)}
            stopped.update(lane.waiting)
            waits = [entry for entry in left if entry.encoded.key in stopped]
            again = [entry for entry in left if entry.encoded.key not in stopped]
            lane.wait_first(waits)
            self._put_back(lane, again, verdict.rest, now)
        if lane.waiting:
            lane.release(self._clocks)
        if lane.queue:
            self._ready[lane] = None

    def _put_back(self, lane: Lane, again: list[Entry], rest: Outcome, now: float) -> None:
        match rest:
            case Split():
                lane.put_back_halved(again)
            case Retry() if again:
                lane.failures += 1
                lane.due_at = now + self._pace.backoff(lane.failures)
                if lane.failures % LANE_FAILURES_MAX == 0 and len(again) > 1:
                    lane.put_back_halved(again)
                else:
                    lane.put_back(again)
                self._isolate(lane, len(again))
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
    ) -> bool:
        """Do what the outcome asks for; true if the entry must go out again, now or later."""
        match outcome:
            case Delivered() | Skip():
                self._done(lane.offsets, (entry,))
                return False
            case Reject(reason, detail):
                self._bury(entry, reason, detail, status, now)
                return False
            case Split(reason, detail) if company == 1:
                self._bury(entry, reason, detail, status, now)
                return False
            case Hold(seconds):
                self._hold(self._blamed(entry), seconds, now)
            case Retry(reason) if company == 1:
                if self._is_poison(entry):
                    self._bury(entry, reason, "it fails alone, others do not", status, now)
                    return False
                # Let the others of its lane go by, and see whether they get through.
                self._hold(Id("key", entry.encoded.key), self._pace.backoff(entry.attempts), now)
            case Resend():
                return True
            case Split() | Retry() | Pause():
                pass
            case unknown:
                assert_never(unknown)
        entry.first_failed_at = entry.first_failed_at or now
        return True

    def _is_poison(self, entry: Entry) -> bool:
        """Whether a record that failed alone has done so too often while others got through."""
        entry.lone_failures += 0 <= entry.failed_after < self._deliveries
        entry.failed_after = self._deliveries
        return entry.lone_failures >= LONE_FAILURES_MAX

    def _blamed(self, entry: Entry) -> Id:
        """An entry that has to wait, by index: whose clock is it?"""
        for identity in entry.ids[1:]:
            if identity in self._clocks:
                return identity
        return entry.ids[0]

    def _hold(self, identity: Id, seconds: float, now: float) -> None:
        until = max(now + seconds, self._clocks.get(identity, 0.0))
        self._clocks[identity] = until
        heappush(self._alarms, (until, identity))

    def _wake(self, now: float) -> None:
        expired = False
        while self._alarms and self._alarms[0][0] <= now:
            _, identity = heappop(self._alarms)
            if self._clocks.get(identity, float("inf")) <= now:
                del self._clocks[identity]
                expired = True
        if not expired:
            return
        for lane in self._lanes.values():
            if lane.waiting and lane.idle:
                lane.release(self._clocks)
                if lane.queue:
                    self._ready[lane] = None

    def _bury(self, entry: Entry, reason: str, detail: str, status: int | None, now: float) -> None:
        self._bytes -= len(entry.encoded.body)
        first = entry.first_failed_at or now
        self._letters.append(
            DeadLetter(entry.record, entry.offsets, reason, detail, status, entry.attempts, first)
        )

    def _done(self, offsets: Offsets, entries: tuple[Entry, ...]) -> None:
        offsets.settle(entry.record.offset for entry in entries)
        self._bytes -= sum(len(entry.encoded.body) for entry in entries)
