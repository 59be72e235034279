"""One delivery process: the engine with a shell around it, as the worker is, in virtual time."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random

from aiokafka import TopicPartition as KafkaPartition

from consumers.delivery import border
from consumers.delivery.batch import Batch
from consumers.delivery.clocks import inherited
from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import (
    Reply,
    Unsendable,
)
from consumers.delivery.lanes import Letter
from consumers.delivery.offsets import Unfinished
from consumers.drain import Drain
from consumers.kafka.epochs import Epochs
from consumers.kafka.notes import Committed
from schemas.records import TopicPartition
from tests.simulation import process_reading
from tests.simulation.consumer import SimulatedConsumer, at_once
from tests.simulation.invariants import (
    SentRates,
    check_holds,
    check_request,
    check_whereabouts,
)
from tests.simulation.log import PARKED, TOPIC
from tests.simulation.poison import StruckError
from tests.simulation.process_reading import FETCH_MAX
from tests.simulation.surroundings import Surroundings
from tests.simulation.told import remember

PARK_MAX = 50
PLANS_MAX = 1000


class Process:
    def __init__(self, world: Surroundings) -> None:
        self.world = world
        self.delivery = Delivery(
            world.destination,
            topic=TOPIC,
            parked_topic=PARKED if world.parks else None,
            memory_max_bytes=world.memory,
            random=Random(world.random.random()),
            suppressed=world.suppressing.users,
        )
        # Its clock goes on from what the wall clock said at its start (consumers/clock.py).
        self.ahead = world.wall_ahead
        self.is_alive = True
        self.drain = Drain("simulated", lambda: len(self.in_flight))
        self._closed = ExitStack()
        self.is_draining = False
        self.positions: dict[TopicPartition, int] = {}
        self.cut: dict[TopicPartition, int] = {}  # Their logs, and from where to read them anew.
        self.consumer = SimulatedConsumer(world.log)
        self.epochs = Epochs(self.consumer)
        self.left: dict[TopicPartition, Unfinished | None] = {}  # By former owners.
        self.scanning: dict[int, int] = {}  # Partitions, and up to where the parked are read.
        self.in_flight: dict[Batch, None] = {}
        self.dying: dict[Letter, None] = {}
        self.parking: list[Letter] = []
        self.held: dict[tuple[str, str], float] = {}  # Waits that the far end asked for.
        self.rates = SentRates()
        self.quiet_until = 0.0

    @property
    def now(self) -> float:
        return self.world.now + self.ahead

    def assign(self, number: int) -> None:
        log = self.world.log
        for topic in (PARKED, TOPIC):
            place = TopicPartition(topic, number)
            committed, note = self._noted(place)
            self.positions[place] = committed
            self.left[place] = None if note is None else note.left
            if note is None:
                self.delivery.assign(place, committed)
            else:
                held = inherited(note.held, note.at, self.now)
                self.delivery.assign(place, committed, note.left, held, note.after)
            self.epochs.assigned({place: Committed(committed, note)})
        self.scanning[number] = log[TopicPartition(PARKED, number)].end

    def _noted(self, place: TopicPartition) -> Committed:
        """What a former owner left of a log, as `Reader` finds it."""
        log = self.world.log[place]
        noted = at_once(
            self.epochs.noted(KafkaPartition(*place), Committed(log.committed, log.note))
        )
        found = noted.within(log.end)
        if log.note is not None and found.note is None:
            process_reading.commit_anew(self, place, found.offset)
            self.world.reads_anew(place, found.offset)
        return found

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
        self.cut.clear()
        self.epochs.clear()
        self.scanning.clear()

    def step(self) -> None:
        with self.failing():
            self._step()

    @contextmanager
    def failing(self) -> Iterator[None]:
        """An unexpected exception ends the worker."""
        try:
            yield
        except StruckError as error:
            self.world.failed(self, error)

    def _step(self) -> None:
        delivery, now = self.delivery, self.now
        for place in list(self.positions):
            process_reading.read(self, place)
        for _ in range(10):
            if (wanted := delivery.wants(now)) is None:
                break
            process_reading.load(self, wanted)
        while self.drain.is_open and (letter := delivery.next_dead_letter()):
            self._bury(letter)
        self._plan()
        self._park()
        if delivery.moved and self.world.random.random() < 0.3:
            process_reading.look_elsewhere(self)

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
        span = sum(not world.suppressing.may_skip(name) for name in names)
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
        world.suppressing.check(wires)
        check_holds(wires, self.held, world.now)
        self.rates.check(wires, world.limits, world.now)
        assert self.quiet_until <= world.now, "a Retry-After was not waited for"

        def settle(reply: Reply) -> None:
            if self.is_alive:
                del self.in_flight[batch]
                with self.failing():
                    verdict = self.delivery.settle(batch, reply, self.now)
                    remember(self, batch, wires, reply, verdict)

        world.carry(self, request, settle)

    def _bury(self, letter: Letter) -> None:
        self.dying[letter] = None
        late = self.world.random.random() < self.world.faults.late_dead_letter

        def acknowledged() -> None:
            if self.is_alive:
                del self.dying[letter]
                self.delivery.dead_lettered(letter)

        def appended() -> None:
            if self.is_alive or self.world.random.random() < 0.5:
                self.world.letters.dead_lettered(letter)
                self.world.later(5.0 if late else 0.0, acknowledged)

        if self.world.shell is not None:
            self.world.letters.write_dead(letter, acknowledged)
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
                world.letters.has_parked(self, letter)
            world.later(world.random.choice([0.0, 5.0]) if late else 0.0, acknowledged)

        world.later(world.random.choice([0.0, 3.0]) if late else 0.0, appended)
