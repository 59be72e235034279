"""Held records: in memory until their hold ends, or parked in Kafka where that is long."""

from collections.abc import Callable, Iterable

from consumers.delivery.blocked import Blocked
from consumers.delivery.clocks import Clocks, Held
from consumers.delivery.destination import Limits
from consumers.delivery.entry import Entry
from consumers.delivery.lanes import Lane
from consumers.delivery.line import Line
from consumers.delivery.moved import Moved
from consumers.delivery.outcomes import Id
from consumers.delivery.pace import Pace
from consumers.delivery.parked_key import ParkedKey
from consumers.delivery.parking import ParkedPartition
from consumers.delivery.rates import PACE, Meter
from consumers.delivery.stock import Stock
from schemas.records import TopicPartition

RELIEF_SECONDS = 0.25  # How often held records are checked for parking.
# Held keys that are asked when a hold has ended: 3 % of the time. With thousands of holds, which
# end one by one, their ends are looked for less often; with ten thousand, each 0.1 s.
ASKED_A_SECOND = 100_000


class Waits:
    def __init__(
        self,
        limits: Limits,
        parked_topic: str | None,
        line: Line,
        stock: Stock,
        pace: Pace,
        meter: Meter | None,
    ) -> None:
        self._limits = limits
        self._parked_topic = parked_topic
        self._line = line
        self._stock = stock
        self._pace = pace
        self._meter = meter
        self._relieved_at = self._ends_from = 0.0  # From then on, ends of holds are looked for.
        self._long_holds = 0  # How many were set: who waits already may have to be parked.
        self.clocks = Clocks()
        self.moved = Moved(self.wait_behind)
        self.inherited: dict[TopicPartition, dict[int, Held]] = {}
        self.parked: dict[int, ParkedPartition] = {}
        self.blocked = Blocked(self.clocks, self.parked)
        self.parkable: set[int] = set()  # Our partitions that the parked topic has, too.

    @property
    def is_calm(self) -> bool:
        """Nothing is held or parked."""
        if self.parked and any(self.parked.values()):
            return False
        return not self.clocks

    def hold(self, identity: Id, until: float, reason: str, now: float) -> None:
        self._long_holds += until > now + self._limits.policy.park_after_seconds
        self.clocks.hold(identity, until, reason)

    def is_held(self, entry: Entry) -> bool:
        """Whether its key, user or device is held: asked of each that waits, so in one call."""
        encoded, clocks = entry.encoded, self.clocks
        if encoded.key in clocks.keys or encoded.user_id in clocks.users:
            return True
        return encoded.device_id in clocks.devices

    def wake(self, now: float) -> None:
        """Requeue expired holds; park the longer ones."""
        if self._pace.paused is not None and not self._stock.bytes:
            self._pace.nothing_to_send(now)
        for parked in self.parked.values():
            parked.wake(now)  # Else `wakes_at` would return the same past moment for ever.
        if now >= self._ends_from and self.clocks.wake(now):
            asked = sum(len(lane.waiting) for lane in self._line)
            self._ends_from = now + asked / ASKED_A_SECOND
            for lane in self._line:
                if lane.waiting and lane.idle:
                    lane.release(lane.waiting, self.is_held)
                    self._line.enter(lane)
        if now >= self._relieved_at + RELIEF_SECONDS:
            self._relieved_at = now
            for lane in self._line:
                if lane.waiting and lane.idle:
                    self.set_aside(lane, now)
                    lane.release(lane.waiting, self._has_to_wait)
                    self._line.enter(lane)

    @property
    def wakes_at(self) -> float | None:
        """When the next hold ends, or its end is looked for."""
        at = self.clocks.next_at
        return None if at is None else max(at, self._ends_from)

    def _has_to_wait(self, entry: Entry) -> bool:
        """Whether it is held, or older ones of its key are parked."""
        if self.is_held(entry):
            return True
        parked = self.parked.get(entry.record.partition)
        return parked is not None and entry.parked is None and entry.encoded.key in parked

    def set_aside(self, lane: Lane, now: float) -> None:
        """Park records that would be held too long in memory, or that take too much of it."""
        if lane.place.partition not in self.parkable or not (lane.waiting and lane.idle):
            return
        is_pressed = self._is_pressed(lane)
        parked, policy = self.parked_of(lane.place.partition), self._limits.policy
        keys = lane.may_be_parked.to_see(lane.waiting, self._long_holds, sees_all=is_pressed)
        for key in keys:
            entries = lane.waiting[key]
            held = self.clocks.last_of(entries[0].encoded)
            # In an outage all records wait; one that failed many times may be bad itself.
            is_in_the_way = is_pressed and (
                self._pace.paused is None or entries[0].attempts >= policy.attempts_max
            )
            is_long = held is not None and (
                is_in_the_way or held.until > now + policy.park_after_seconds
            )
            follows = (
                parked.is_overtaking(key, entries[0].offset) if lane.is_parked else key in parked
            )
            if not (is_long or follows):
                continue
            if held is None:
                known = parked.keys.get(key) or ParkedKey(now, "parked")
                held = Held("key", known.reason, known.due_at)
            _, reason, until = held
            lane.wait_no_more(key)
            if lane.is_parked:
                self._stock.forget(entries)
                parked.unload(key, [entry.offset for entry in entries], until, reason)
                first = entries[0]
                suspect = first.offset, first.lone_failures, first.failed_after, first.lead
                parked.keys[key].suspect = suspect
            else:
                for entry in entries:
                    parked.park(key, entry.offset, until, reason)
                    self._stock.park(entry, reason, until, now)

    def _is_pressed(self, lane: Lane) -> bool:
        """Whether held records of this lane leave no room for others, or an added partition waits
        for them: then one user could keep it unread for as long as it is throttled.
        """
        if not lane.is_parked and (
            lane.offsets.is_full(self._limits.span_max) or lane.place.partition in self.moved.others
        ):
            return True
        if self._stock.has_room:
            return False
        held = sum(lane.waiting_bytes for lane in self._line)
        return held > self._stock.bytes_max // 2

    def parked_of(self, partition: int) -> ParkedPartition:
        parked = self.parked.get(partition)
        if parked is None:
            parked = self.parked[partition] = ParkedPartition()
        return parked

    def wait_behind(
        self,
        partition: int,
        keys: Iterable[str] | None,
        may_be: Callable[[str], bool] | None = None,
    ) -> None:
        """Set the keys of a partition that have older records parked in other partitions."""
        self.parked_of(partition).wait_behind(keys, may_be)

    def wants(self, now: float, first: int = 0) -> TopicPartition | None:
        """A partition of which parked records are to be read again, from `wanted_from`: one from
        the number `first` on, if there is one.
        """
        if self._parked_topic is None or not self._stock.has_room:
            return None
        for partition in sorted(self.parked, key=lambda number: (number < first, number)):
            self.parked[partition].wake(now)
            if self.parked[partition].wanted() is not None:
                return TopicPartition(self._parked_topic, partition)
        return None

    def wanted_from(self, partition: int) -> int:
        """The lowest offset that is wanted of a partition that `wants` named."""
        offset = self.parked[partition].wanted()
        assert offset is not None
        return offset

    def lose(self, partition: int, before: int) -> int:
        """Kafka has deleted the parked records below this offset: how many of ours?"""
        if self._parked_topic is None or partition not in self.parked:
            return 0
        if lost := self.parked[partition].lose(before):
            self._stock.offsets[TopicPartition(self._parked_topic, partition)].settle(lost)
        return len(lost)

    def held(self) -> int:
        """Records in memory whose user, device or key has to wait."""
        return sum(lane.waiting_records for lane in self._line)

    def waiting_in(self, place: TopicPartition, now: float) -> int:
        """How many records of a partition are held, or parked and not due.

        One that is due counts only while memory has no room for it. All wait where we were told to,
        also if that was another topic of the same API key.
        """
        if now < self._pace.paused_until and (offsets := self._stock.offsets.get(place)):
            return offsets.unsettled
        found = sum(lane.waiting_records for lane in self._line.of(place))
        if place.topic == self._parked_topic and place.partition in self.parked:
            parked = self.parked[place.partition]
            parked.wake(now)
            is_due = self._stock.has_room and parked.wanted() is not None
            found += parked.unloaded - is_due
        return found

    def parked_records(self) -> int:
        return sum(parked.unloaded for parked in self.parked.values())

    @property
    def parked_due_at(self) -> float | None:
        """When the next parked record is due; those that wait for others are not among them."""
        times = [at for parked in self.parked.values() if (at := parked.next_at) is not None]
        return min(times, default=None)

    def holds(self, place: TopicPartition) -> Iterable[tuple[int, Held]]:
        """The first held record of each key, by its offset."""
        for lane in self._line.of(place):
            for entries in lane.waiting.values():
                if held := self.clocks.last_of(entries[0].encoded):
                    yield entries[0].offset, held
        if place.topic == self._parked_topic and place.partition in self.parked:
            # One that was never loaded has its time in its headers.
            for offset, key in self.parked[place.partition].waiting_again():
                yield offset, Held("key", key.reason, key.due_at)

    def inherit(self, place: TopicPartition, entries: Iterable[Entry], now: float) -> None:
        """Hold again what the former owner of a partition held, once its record is read."""
        inherited = self.inherited[place]
        for entry in entries:
            if held := inherited.pop(entry.offset, None):
                identity = next((one for one in entry.ids if one.kind == held.kind), entry.ids[0])
                self.hold(identity, held.until, held.reason, now)
                if self._meter is not None and held.reason == PACE:
                    self._meter.resumes(identity, held.until)
