"""One delivery process: the engine with a shell around it, as the worker is, in virtual time."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from random import Random
from typing import Protocol

import orjson

from consumers.delivery import border
from consumers.delivery.clocks import inherited
from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import (
    Limits,
    Reply,
    Request,
    Response,
    Unsendable,
)
from consumers.delivery.lanes import Batch, Letter
from consumers.delivery.moved import ParkedKeys, Settled
from consumers.delivery.offsets import Unfinished
from consumers.delivery.outcomes import Verdict
from consumers.drain import Drain
from consumers.kafka.letter_forms import is_original
from schemas.letters import TRUNCATED, LetterHeaders, is_reference
from schemas.records import TopicPartition
from tests.simulation.far_end import Origin
from tests.simulation.faults import Faults
from tests.simulation.invariants import (
    SentRates,
    check_holds,
    check_request,
    check_whereabouts,
)
from tests.simulation.log import PARKED, TOPIC, Kept, Log
from tests.simulation.poison import Poisoned, StruckError
from tests.simulation.subjects import Subject, Wire

FETCH_MAX = 60
PARK_MAX = 50
PLANS_MAX = 1000
HELD_SECONDS = 30.0
QUOTA_STEP_SECONDS = 3600.0


class Surroundings(Protocol):
    """What a process needs to know of its world."""

    now: float
    wall_ahead: float
    random: Random
    faults: Faults
    log: Log
    subject: Subject
    lost: set[str]
    origins: dict[str, Origin]
    destination: Poisoned
    limits: Limits
    memory: int
    parks: bool

    @property
    def shell(self) -> object: ...

    def later(self, seconds: float, action: Callable[[], None]) -> None: ...
    def fly(
        self, process: "Process", request: Request, settle: Callable[[Reply], None]
    ) -> None: ...
    def failed(self, process: "Process", error: BaseException) -> None: ...
    def write_dead_letter(self, letter: Letter, on_stored: Callable[[], None]) -> None: ...
    def buried(self, letter: Letter) -> None: ...
    def reads_anew(self, place: TopicPartition, offset: int) -> None: ...
    def has_parked(self, process: "Process", letter: Letter) -> None: ...


class Process:
    def __init__(self, world: Surroundings) -> None:
        self.world = world
        self.delivery = Delivery(
            world.destination,
            topic=TOPIC,
            parked_topic=PARKED if world.parks else None,
            memory_max_bytes=world.memory,
            random=Random(world.random.random()),
        )
        # Its clock goes on from what the wall clock said at its start (consumers/clock.py).
        self.ahead = world.wall_ahead
        self.is_alive = True
        self.drain = Drain("simulated", lambda: len(self.in_flight))
        self._closed = ExitStack()
        self.is_draining = False
        self.positions: dict[TopicPartition, int] = {}
        self.left: dict[TopicPartition, Unfinished | None] = {}  # By former owners.
        self.scanning: dict[int, int] = {}  # Partitions, and up to where the parked are read.
        self.in_flight: dict[Batch, None] = {}
        self.dying: dict[Letter, None] = {}
        self.parking: list[Letter] = []
        self.held: dict[tuple[str, str], float] = {}  # What the far end has told us.
        self.rates = SentRates()
        self.quiet_until = 0.0

    @property
    def now(self) -> float:
        return self.world.now + self.ahead

    def assign(self, number: int) -> None:
        log = self.world.log
        for topic in (PARKED, TOPIC):
            place = TopicPartition(topic, number)
            was_noted = log[place].note is not None
            committed, note = log[place].for_next_owner()
            if was_noted and note is None:
                self.world.reads_anew(place, committed)
            self.positions[place] = committed
            self.left[place] = None if note is None else note.left
            if note is None:
                self.delivery.assign(place, committed)
            else:
                held = inherited(note.held, note.at, self.now)
                self.delivery.assign(place, committed, note.left, held, note.after)
        self.scanning[number] = log[TopicPartition(PARKED, number)].end

    def begin_drain(self) -> None:
        self._closed.enter_context(self.drain.closed())
        self.is_draining = True

    @property
    def is_drained(self) -> bool:
        """Whether no request and no letter is under way."""
        return not (self.in_flight or self.dying or self.parking)

    def revoke(self) -> None:
        """The end of a drain, or of the lease of one that did not notice."""
        self._closed.close()
        self.is_draining = False
        self.delivery.revoke(list(self.positions))
        self.positions.clear()
        self.scanning.clear()

    def step(self) -> None:
        with self.failing():
            self._step()

    @contextmanager
    def failing(self) -> Iterator[None]:
        """What nobody foresaw ends the worker."""
        try:
            yield
        except StruckError as error:
            self.world.failed(self, error)

    def _step(self) -> None:
        delivery, now = self.delivery, self.now
        for place in list(self.positions):
            self._read(place)
        for _ in range(10):
            if (wanted := delivery.wants(now)) is None:
                break
            self._load(wanted)
        while self.drain.is_open and (letter := delivery.next_dead_letter()):
            self._bury(letter)
        self._plan()
        self._park()
        if delivery.moved and self.world.random.random() < 0.3:
            self._look_elsewhere()

    @property
    def is_idle(self) -> bool:
        """Whether it has read all that there is."""
        log = self.world.log
        return all(log[place].end <= at for place, at in self.positions.items())

    def check(self) -> None:
        check_whereabouts(self.delivery.snapshot(), self.in_flight, [*self.dying, *self.parking])
        for place, committable in self.delivery.committable().items():
            if place.topic == TOPIC:
                self._check_span(place, committable)

    def _check_span(self, place: TopicPartition, committable: int) -> None:
        """How many were read that a crash would send again, at most."""
        world = self.world
        read = world.log[place].between(committable, self.positions[place])
        names = {one.name or "" for one in read} - world.lost
        span = sum(world.origins[name].kind != "skipped" for name in names)
        assert span <= world.limits.span_max + FETCH_MAX, "a crash would repeat too many records"

    def _plan(self) -> None:
        """As long as it asks for more at once, which must come to an end."""
        if not self.drain.is_open:
            return
        for _ in range(PLANS_MAX):
            while self.drain.is_open and (batch := self.delivery.next_batch(self.now)):
                self._send(batch)
            wakes_at = self.delivery.wakes_at()
            if wakes_at is None or wakes_at > self.now:
                return
        raise AssertionError(f"it plans nothing, and wants to be asked again: {wakes_at}")

    def _read(self, place: TopicPartition) -> None:
        delivery, log, now = self.delivery, self.world.log[place], self.now
        if self.positions[place] > log.end:
            self._restart(place)
            return
        if place.topic == TOPIC and (
            place.partition in self.scanning or not delivery.has_room or place in delivery.full()
        ):
            return
        if self.positions[place] >= log.end and place.partition not in self.scanning:
            return
        if self.positions[place] < log.begin:
            self._lose(place, log.begin)
        fetched = log.since(self.positions[place], self.world.random.randint(0, FETCH_MAX))
        if place.topic == PARKED:
            delivery.scan(fetched, now)
        else:
            delivery.accept(fetched, now)
        last = log.records[-1].offset if log.records else -1
        reached = fetched[-1].offset + 1 if fetched else self.positions[place]
        # Past the last record are markers of transactions only, which a fetch goes past.
        self.positions[place] = log.end if reached > last else reached
        delivery.reached(place, self.positions[place])
        if place.topic == PARKED:
            end = self.scanning.get(place.partition)
            if end is not None and max(self.positions[place], log.begin) >= end:
                del self.scanning[place.partition]

    def _restart(self, place: TopicPartition) -> None:
        """Its log was cut: it is read from its beginning, once what was read is settled."""
        self.delivery.cut(place)
        if self.delivery.restart(place):
            log, self.left[place] = self.world.log[place], None
            log.is_restarted = True
            self.positions[place] = log.begin
            self.delivery.reached(place, log.begin)
            self.world.reads_anew(place, log.begin)

    def _look_elsewhere(self) -> None:
        """As `consumers/kafka/moved.py` does."""
        moved, log = self.delivery.moved, self.world.log
        settled = {place: Settled(one.committed, one.left) for place, one in log.places.items()}
        own = {place.partition: one for place, one in settled.items() if place.topic == TOPIC}
        parked = {place.partition: one for place, one in settled.items() if place.topic == PARKED}
        for number in moved.passed(own):
            found: ParkedKeys = {}
            for place, one in log.of(PARKED):
                for record in one.between(max(one.committed, one.begin), one.end):
                    key = self.world.origins[record.name].key if record.name else None
                    is_moved = key is not None and log.partition_of(key) == number
                    if (
                        place.partition != number
                        and is_moved
                        and not parked[place.partition].has(record.offset)
                    ):
                        found.setdefault(place.partition, {})[record.offset] = key or ""
            moved.found(number, found)
        moved.settled(parked)

    def _lose(self, place: TopicPartition, begin: int) -> None:
        """Retention was faster: whatever of it was not settled is lost, and counted."""
        first, left = self.positions[place], self.left.get(place)
        missed = [n for n in range(first, begin) if left is None or not left.has_settled(n)]
        lost = self.delivery.lose(place, first, begin)
        self.positions[place] = begin
        if place.topic == TOPIC:
            assert lost == len(missed), f"{lost} records count as lost, and {len(missed)} are"
            self.world.lost |= {
                record.name or ""
                for record in self.world.log[place].between(first, begin)
                if record.offset in missed
            }

    def _load(self, place: TopicPartition) -> None:
        offset = self.delivery.wanted_from(place.partition)
        log = self.world.log[place]
        records = log.since(offset, self.world.random.randint(1, FETCH_MAX))
        begins = max(offset, records[0].offset) if records else log.begin
        if begins > offset:
            self.delivery.lose(place, offset, begins)
        self.delivery.load([self._whole(record) for record in records], self.now)

    def _whole(self, record: Kept) -> Kept:
        """Of what is parked as a reference, the bytes are read from where they came."""
        origin = LetterHeaders.decoded(record.headers).origin if is_reference(record) else None
        if origin is None:
            return record
        log = self.world.log[origin.place]
        found = log.between(max(origin.offset, log.begin), origin.offset + 1)
        original = found[0] if found else None
        if original is None or not is_original(original, record):  # Its bytes are gone.
            self.world.lost.add(record.name or "")
            return record
        headers = [header for header in record.headers if header[0] != TRUNCATED]
        return replace(record, key=original.key, value=original.value, headers=headers)

    def _send(self, batch: Batch) -> None:
        world = self.world
        assert not self.is_draining, "a request went out after the drain had begun"
        request = border.request(world.destination, batch.encoded)
        if isinstance(request, Unsendable):
            self.delivery.settle(batch, request, self.now)
            return
        wires = world.subject.carried(request.body)
        self.in_flight[batch] = None
        assert len(self.in_flight) <= world.limits.concurrency, "too many requests in flight"
        check_request(batch, wires, world.limits, is_form=world.subject.is_form)
        check_holds(wires, self.held, world.now)
        self.rates.check(wires, world.limits, world.now)
        assert self.quiet_until <= world.now, "a Retry-After was not waited for"

        def settle(reply: Reply) -> None:
            if self.is_alive:
                del self.in_flight[batch]
                with self.failing():
                    verdict = self.delivery.settle(batch, reply, self.now)
                    self._remember(batch, wires, reply, verdict)

        world.fly(self, request, settle)

    def _remember(
        self, batch: Batch, wires: Sequence[Wire], reply: Reply, verdict: Verdict
    ) -> None:
        """The keys that the reply asked to wait."""
        if not isinstance(reply, Response):
            return
        now, after = self.world.now, reply.retry_after_seconds
        is_named = bool(verdict.holds or verdict.but) or self.world.subject.is_form
        if after and (reply.status >= 500 or (reply.status == 429 and not is_named)):
            self.quiet_until = max(self.quiet_until, now + after)
        if reply.status != 429:
            return
        until = now + (after or HELD_SECONDS)
        indexes: Sequence[int] = ()
        if self.world.subject.is_form:
            indexes = range(len(wires))
        elif not self.world.subject.is_aampe and reply.body:
            body = orjson.loads(reply.body)
            indexes = body.get("throttled_events", ())
            for kind, ending in (("user", "users"), ("device", "devices")):
                for one in body.get(f"throttled_{ending}", ()):
                    self.held[kind, one] = max(until, self.held.get((kind, one), 0.0))
                for one in body.get(f"exceeded_daily_quota_{ending}", ()):
                    self.held[kind, one] = (now // QUOTA_STEP_SECONDS + 1) * QUOTA_STEP_SECONDS
        if all(lane.offsets.is_ours for lane, _ in batch.parts):
            for index in indexes:
                for name in wires[index].names:
                    self.held["name", name] = until

    def _bury(self, letter: Letter) -> None:
        self.dying[letter] = None
        late = self.world.random.random() < self.world.faults.late_dead_letter

        def acknowledged() -> None:
            if self.is_alive:
                del self.dying[letter]
                self.delivery.dead_lettered(letter)

        def appended() -> None:
            if self.is_alive or self.world.random.random() < 0.5:
                self.world.buried(letter)
                self.world.later(5.0 if late else 0.0, acknowledged)

        if self.world.shell is not None:
            self.world.write_dead_letter(letter, acknowledged)
            return
        self.world.later(self.world.random.choice([0.0, 3.0]) if late else 0.0, appended)

    def _park(self) -> None:
        """Written one after the other, as one process does; each is there once it is said so."""
        if self.parking:
            return
        while (
            self.drain.is_open
            and len(self.parking) < PARK_MAX
            and (letter := self.delivery.next_parking())
        ):
            self.parking.append(letter)
        if not self.parking:
            return
        letters, world = list(self.parking), self.world
        late = world.random.random() < world.faults.late_parking

        def acknowledged() -> None:
            if self.is_alive:
                self.parking.clear()
                self.delivery.parked(letters)

        def appended() -> None:
            there = letters if self.is_alive else letters[: world.random.randint(0, len(letters))]
            for letter in there:
                world.has_parked(self, letter)
            world.later(world.random.choice([0.0, 5.0]) if late else 0.0, acknowledged)

        world.later(world.random.choice([0.0, 3.0]) if late else 0.0, appended)
