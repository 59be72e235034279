"""The delivery engine: accept records, plan batches, settle replies.

It never looks at a clock and never sleeps: the caller tells it the time, and `wakes_at` when to
ask again. What it decides depends only on what it was told, so one seed replays every decision.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from random import Random
from sys import maxsize

from consumers.delivery.batch import Batch, batch_of
from consumers.delivery.clocks import Held
from consumers.delivery.destination import Destination, Reply, Unsendable
from consumers.delivery.intake import Intake
from consumers.delivery.lanes import Letter
from consumers.delivery.line import Line
from consumers.delivery.moved import Ends
from consumers.delivery.offsets import Unfinished
from consumers.delivery.outcomes import Skip, Verdict
from consumers.delivery.pace import Pace, Wait
from consumers.delivery.rates import PACE, Meter
from consumers.delivery.settling import Settling
from consumers.delivery.snapshot import Snapshot
from consumers.delivery.stock import Stock
from consumers.delivery.waits import Waits
from schemas.records import Record, TopicPartition
from schemas.suppressions import NOBODY, Suppressions


class Delivery:
    def __init__(
        self,
        destination: Destination,
        *,
        topic: str,
        parked_topic: str | None,  # None: nothing can be parked, all held records stay in memory.
        memory_max_bytes: int,
        random: Random,
        wait: Wait | None = None,
        suppressed: Suppressions = NOBODY,  # Its owner changes it.
    ) -> None:
        self._topic = topic
        self._parked_topic = parked_topic
        self._limits = limits = destination.limits
        self._merges = destination.merge is not None
        batch_size = 1 if limits.one_per_key else limits.records
        self._meter = Meter(limits.rate, batch_size) if limits.rate else None
        self._pace = pace = Pace(limits, random, wait)
        self._line = line = Line(destination, suppressed)
        self._stock = stock = Stock(memory_max_bytes)
        self._waits = waits = Waits(limits, parked_topic, line, stock, pace, self._meter)
        self._intake = Intake(destination, topic, line, stock, waits, suppressed)
        self._settling = Settling(destination, pace, line, stock, waits)
        self._in_flight: set[Batch] = set()
        self.moved = waits.moved

    # Input from the shell.

    def assign(
        self,
        place: TopicPartition,
        committed: int,
        left: Unfinished | None = None,
        held: Mapping[int, Held] | None = None,
        after: Ends | None = None,
        has_moved: Callable[[str], bool] | None = None,
    ) -> None:
        """Call it before reading: what the former owner left and held, and what goes before."""
        self._stock.committed[place] = committed
        if left is not None:
            self._stock.left[place] = left
        self._waits.inherited[place] = dict(held or {})
        if place.topic == self._parked_topic:
            self._waits.parkable.add(place.partition)
        elif after:
            self.moved.assign(place.partition, after, has_moved)

    def accept(self, records: Sequence[Record], now: float) -> list[Skip]:
        """Take records that were read; returns why some need no delivery."""
        return self._intake.accept(records, now)

    def scan(self, records: Sequence[Record], now: float) -> list[Skip]:
        """Take records that were read from the parked topic for the first time.

        All of a partition, to the end that it has, before others of it are accepted.
        """
        return self._intake.scan(records, now)

    def load(self, records: Sequence[Record], now: float) -> list[Skip]:
        """Take parked records that were read again, from where `wants` says."""
        return self._intake.load(records, now)

    def reached(self, place: TopicPartition, offset: int) -> None:
        """Kafka has no more records below this offset: the last offsets of a log may have none."""
        self._stock.offsets_from(place, offset).read((), offset)

    def lose(self, place: TopicPartition, first: int, before: int) -> int:
        """Offsets from `first` to before `before` are gone; returns how many of them waited.

        Records of them that are in memory are still delivered.
        """
        offsets = self._stock.offsets_from(place, first)
        is_own = place.topic == self._topic
        unread = offsets.lose(before, all_are_ours=is_own) if first >= offsets.read_to else 0
        return unread + (0 if is_own else self._waits.lose(place.partition, before))

    def cut(self, place: TopicPartition) -> int:
        """The log now ends before our position; returns how many of our records are gone."""
        return 0 if place.topic == self._topic else self._waits.lose(place.partition, maxsize)

    def restart(self, place: TopicPartition) -> bool:
        """Whether its log may be read from the beginning: once all that was read is settled."""
        if is_settled := self._stock.restart(place):
            self._line.leave([place])  # The lanes settle in the offsets that are forgotten now.
        return is_settled

    def settle(self, batch: Batch, reply: Reply | Unsendable, now: float) -> Verdict:
        """Act on the destination's reply; returns the verdict, for the metrics."""
        self._in_flight.remove(batch)
        return self._settling.settle(batch, reply, now)

    def dead_lettered(self, letter: Letter) -> None:
        """The dead letter topic has the record."""
        self._stock.depart(letter.entry)

    def parked(self, letters: Iterable[Letter]) -> None:
        """The parked topic has these records."""
        for letter in letters:
            self._stock.depart(letter.entry)

    def revoke(self, places: Iterable[TopicPartition]) -> None:
        """These partitions are another consumer's now: forget their records."""
        gone = list(places)
        for place in gone:
            self._waits.parked.pop(place.partition, None)
            self._waits.parkable.discard(place.partition)
            self._waits.inherited.pop(place, None)
            self.moved.revoke(place.partition)
        self._stock.revoke(gone, self._line.leave(gone))

    # Output to the shell.

    def next_batch(self, now: float) -> Batch | None:
        """The next batch to send, if one may go now."""
        pace, waits = self._pace, self._waits
        waits.wake(now)
        if not pace.may_send(len(self._in_flight), now):
            return None
        if self._limits.records == 1 and waits.is_calm and (alone := self._line.draw_one(now)):
            return self._launch(alone)
        while drawn := self._line.draw(
            now, pace.room, pace.bytes_max, waits.blocked, is_calm=waits.is_calm
        ):
            if drawn.dropped:
                self._stock.drop(drawn.dropped)
            for lane in drawn.empty:
                waits.set_aside(lane, now)
            if drawn.parts:
                return self._launch(batch_of(drawn.parts, now, may_be_merged=self._merges))
            if not (drawn.empty or drawn.dropped):
                break
        return None

    def dropped(self) -> list[Skip]:
        """Why records need no delivery any more, since the last call."""
        return self._stock.forget_dropped()

    def next_dead_letter(self) -> Letter | None:
        return self._stock.dead.popleft() if self._stock.dead else None

    def next_parking(self, busy: Container[int] = ()) -> Letter | None:
        """Records to park, but none of these partitions; those of one key in this order."""
        return self._stock.next_leaving(busy)

    def wants(self, now: float, first: int = 0) -> TopicPartition | None:
        """A partition to read parked records of, from `wanted_from`: `first`, or the next one."""
        return self._waits.wants(now, first)

    def wanted_from(self, partition: int) -> int:
        """The lowest offset that is wanted of a partition that `wants` named."""
        return self._waits.wanted_from(partition)

    def committable(self) -> dict[TopicPartition, int]:
        return {place: offsets.committable for place, offsets in self._stock.offsets.items()}

    def after(self, place: TopicPartition) -> Ends:
        """What an added partition waits for in other partitions, to be noted for its next owner."""
        return self.moved.after(place.partition) if place.topic == self._topic else {}

    @property
    def has_room(self) -> bool:
        return self._stock.has_room

    def full(self) -> set[TopicPartition]:
        """The partitions of which no more should be read, although memory has room."""
        unread = {TopicPartition(self._topic, number) for number in self.moved.unread}
        return self._stock.full(self._topic, self._limits.span_max) | unread

    @property
    def paused(self) -> str | None:
        return self._pace.paused

    @property
    def in_flight(self) -> int:  # Requests without a reply.
        return len(self._in_flight)

    def snapshot(self) -> Snapshot:
        stock, waits = self._stock, self._waits
        return Snapshot(
            unsettled=stock.unsettled(),
            in_line=sum(lane.records for lane in self._line),
            in_flight=sum(batch.unsettled for batch in self._in_flight),
            held=waits.held(),
            rejected=len(stock.dead),
            leaving=stock.leaving_records,
            parked=waits.parked_records(),
            bytes=stock.bytes,
            oldest=stock.oldest(),
            parked_due_at=waits.parked_due_at,
            concurrency_limit=self._pace.in_flight_max,
            paused=self._pace.paused,
        )

    def pending(self, place: TopicPartition, now: float) -> tuple[int, int]:
        """How many of its records are read and not settled, and how many of these are held."""
        offsets = self._stock.offsets.get(place)
        return (offsets.unsettled, self._waits.waiting_in(place, now)) if offsets else (0, 0)

    def holds(self, place: TopicPartition) -> Iterable[tuple[int, Held]]:
        """Some of a partition's held records, by offset."""
        return self._waits.holds(place)

    def unfinished(self, place: TopicPartition, ranges_max: int | None = None) -> Unfinished:
        """What the next owner of a partition must know if nothing more is settled."""
        return self._stock.offsets[place].unfinished(ranges_max)

    def wakes_at(self) -> float | None:
        """When to plan again, if nothing happens before; `wants` asks for parked records."""
        times = [self._waits.wakes_at]
        if self._line and len(self._in_flight) < self._pace.in_flight_max:
            times.append(max(self._pace.paused_until, self._line.due_at()))
        return min((at for at in times if at is not None), default=None)

    def _launch(self, batch: Batch) -> Batch:
        if self._meter is not None:
            for identity, until in self._meter.sent(batch.encoded, batch.sent_at):
                self._waits.hold(identity, until, PACE, batch.sent_at)
        self._in_flight.add(batch)
        return batch
