"""A simulated world: one seed decides every fault, delay and reply. No clock, no socket."""

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from itertools import count
from random import Random

from consumers.delivery.destination import Reply, Request, Unreachable
from schemas.records import TopicPartition
from tests.simulation.commits import commit
from tests.simulation.disturbances import strike
from tests.simulation.far_end import FarEnd, Origin
from tests.simulation.faults import Faults
from tests.simulation.group import Group
from tests.simulation.letters import Letters
from tests.simulation.log import PARKED, TOPIC, Log
from tests.simulation.losses import Losses
from tests.simulation.making import RECORDS, deploy_badly, described, limits_of, population_of
from tests.simulation.others_letters import OthersLetters
from tests.simulation.outcome import check_outcome, why_it_is_pending
from tests.simulation.poison import Poisoned
from tests.simulation.population import OUTCAST
from tests.simulation.process import Process
from tests.simulation.process_reading import knows
from tests.simulation.shell import Shell
from tests.simulation.subjects import FLIGHT_SECONDS_MAX, SUBJECTS
from tests.simulation.suppressing import Suppressing

FAULTY_STEPS = 400
HEALTHY_SECONDS = 4 * 3600.0
HEALTHY_STEPS = 40_000
TIMEOUT_SECONDS = 30.0
PROXY_BYTES = 11_000  # Of a smaller record no 413 is believed (answers.LARGE_BYTES).
CHECK_EVERY = 5  # A broken count stays broken: looking each time would find nothing more.


class World:
    def __init__(self, seed: int, kind: str | None = None) -> None:
        self.random = random = Random(seed)
        chosen = random.choice(["events"] * 4 + list(SUBJECTS))
        self.kind = kind or chosen
        self.subject = SUBJECTS[self.kind]
        self.now = 1_763_715_600.0
        self.born = self.healed = self.now
        self.wall_ahead = 0.0  # How far the wall clock was set forward, or back.
        self.requests = self.steps = 0
        self.batch_max = 0  # The most that came in one request.
        self.faults = Faults.swarm(random)
        self.destination = Poisoned(self.subject.make())
        self.limits = self.destination.limits = limits_of(self)
        self.memory = random.choice([15_000, 64_000_000])
        self.parks = random.random() < 0.8
        self.ranges_max = random.choice([1, 3, 400])
        self.log = Log(random.choice([1, 2, 3]))
        self.origins: dict[str, Origin] = {}
        self.dead: dict[str, str] = {}
        self.lost: set[str] = set()  # Retention took what was parked.
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.ids = count()
        self.checked = dict.fromkeys(self.log.places, 0)
        self.population = population_of(self)
        proxy = PROXY_BYTES if self.population.is_huge_refused else None
        known = self.origins, self.dead, self.lost
        self.far_end = FarEnd(self.subject, random, self.faults, *known, proxy)
        self.far_end.is_lying = random.random() < 0.2
        self._fill(seed)
        own = Random(f"{seed} shell")
        if not self.is_bad_deploy:
            self.faults.failure = own.choice([0.0, 0.0, 0.0, 0.01])
        self.shell: Shell | None = None
        if self.faults.failure:
            self.shell = Shell(own, self.now, lambda: self.group.started_again())
        self.suppressing = Suppressing(Random(f"{seed} suppressions"), self.origins)
        self.letters = Letters(self)
        self.group = Group(self)
        self.losses = Losses(self)
        self.others = OthersLetters(self)
        self.swarm = described(self)

    def _fill(self, seed: int) -> None:
        """Write the records that the processes find."""
        self.is_bad_deploy = self.random.random() < 0.1
        self.records = 1500 if self.is_bad_deploy else RECORDS
        if self.is_bad_deploy:
            deploy_badly(self, seed)
        # From a random generator of its own, so that the other worlds stay as they were.
        self.grows_at = Random(f"{seed} grows").choice([None, None, None, 1, FAULTY_STEPS // 2])
        self.written = self.records if self.grows_at is None else self.records // 2
        # A record that always fails would be alone while nothing new is read: like an outage.
        may_be_cut = self.population.outcast is None and self.grows_at is None
        if may_be_cut and not self.is_bad_deploy:
            self.faults.unclean = Random(f"{seed} unclean").choice([0.0, 0.0, 0.02])
        for n in range(self.written):
            self.population.write(n)
        self.outcasts = {name for name, one in self.origins.items() if one.kind in OUTCAST}

    @property
    def processes(self) -> list[Process]:
        return self.group.processes

    def run(self) -> None:
        try:
            self._run()
        finally:
            if self.shell is not None:
                self.shell.close()

    def _run(self) -> None:
        for _ in range(FAULTY_STEPS * (3 if self.is_bad_deploy else 1)):
            self._grow()
            self.step()
        self.faults.heal()
        self.suppressing.heal()
        while self.written < self.records or self.losses.is_rewriting:
            self._grow()
            self.step()
            assert self.steps < HEALTHY_STEPS, (
                f"a cut log is not noticed: {why_it_is_pending(self)}"
            )
        self.healed = self.now
        far_end = self.far_end
        far_end.down_until = far_end.locked_until = far_end.deployed_until = 0.0
        far_end.strange_until = 0.0
        targets = {place: log.end for place, log in self.log.of(TOPIC)}
        deadline, steps_max = self.now + HEALTHY_SECONDS, self.steps + HEALTHY_STEPS
        while not self._is_drained(targets):
            is_late = self.now > deadline or self.steps > steps_max
            assert not is_late, f"no liveness after healing: {why_it_is_pending(self)}"
            if self.outcasts and self.random.random() < 0.2:
                # New records keep coming: a record that always fails, alone, looks like an outage.
                self.population.write_good(self.records + next(self.ids))
            self.step()
        for process in self.processes:
            process.check()
        check_outcome(self)

    def step(self) -> None:
        if self.shell is not None:
            self.shell.catch_up(self.now)
        strike(self)
        for process in list(self.processes):
            process.step()
        if self.random.random() < 0.3:
            commit(self, self.ranges_max)
        if self.agenda:
            self.now = max(self.now, self.agenda[0][0])
            due = []
            while self.agenda and self.agenda[0][0] <= self.now:
                due.append(heappop(self.agenda)[2])
            for action in due:
                action()
        self.steps += 1
        if self.steps % CHECK_EVERY == 0:
            for process in self.processes:
                process.check()
        self._tick()

    def _grow(self) -> None:
        """Partitions are added, and what is written from then on is divided anew."""
        if self.grows_at is None or self.steps < self.grows_at or self.written == self.records:
            return
        if self.group.grow():
            self.checked |= {place: 0 for place in self.log.places if place not in self.checked}
            for n in range(self.written, self.records):
                self.population.write(n)
            self.written = self.records
            self.outcasts = {name for name, one in self.origins.items() if one.kind in OUTCAST}

    def write_into(self, place: TopicPartition) -> None:
        """One more record, of this partition."""
        self.population.write_into(place.partition, self.records)
        self.records += 1
        self.written += 1

    # What the processes ask of their world.

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        heappush(self.agenda, (self.now + seconds, next(self.ids), action))

    def carry(self, process: Process, request: Request, settle: Callable[[Reply], None]) -> None:
        """Request and reply; either may take so long that replies arrive in another order."""
        self.requests += 1
        self.batch_max = max(self.batch_max, len(self.subject.carried(request.body)))
        there, back = (min(self.random.expovariate(4.0), FLIGHT_SECONDS_MAX) for _ in range(2))
        is_given_up = self.random.random() < self.faults.overtime
        if is_given_up:
            there = self.random.uniform(0.0, 2 * TIMEOUT_SECONDS)
            self.group.is_disturbed = True
            self.later(TIMEOUT_SECONDS, lambda: settle(Unreachable("read_timeout")))
        for wire in self.subject.carried(request.body):
            for name in wire.names:
                place = TopicPartition(TOPIC, self.origins[name].partition)
                if is_given_up or not self.group.may_commit(process, place):
                    self.far_end.may_repeat[name] += 1

        def arrived() -> None:
            reply = self.far_end.answer(request, self.now)
            if not is_given_up:
                self.later(back, lambda: settle(reply))

        self.later(there, arrived)

    def failed(self, process: Process, error: BaseException) -> None:
        assert self.shell is not None
        self.group.failed(process)
        self.shell.workers.failed(process, error)

    # How time passes.

    def _tick(self) -> None:
        """The shell looks every second; while there is nothing new, that changes nothing."""
        times: list[float] = []
        for process in self.processes:
            wakes = [process.delivery.wakes_at(), process.delivery.snapshot().parked_due_at]
            times += [at - process.ahead for at in wakes if at is not None and at > process.now]
        is_idle = all(process.is_idle for process in self.processes)
        at_most = self.now + (30.0 if is_idle and not self.group.is_busy else 1.0)
        if self.agenda:
            times.append(self.agenda[0][0])
        if self.shell is not None and (due_at := self.shell.due_at) is not None:
            times.append(due_at)
        self.now = max(self.now + 0.01, min(at_most, min(times, default=self.now + 1.0)))

    def _is_drained(self, targets: Mapping[TopicPartition, int]) -> bool:
        logs = [(self.log[place], end) for place, end in targets.items()]
        if any(log.committed < end for log, end in logs):
            return False
        # What is committed may be of a log that was cut, and not yet read anew.
        if any(self.group.owner_of(one).positions[one] < end for one, end in targets.items()):
            return False
        unknown = [place for place in targets if not knows(self.group.owner_of(place), place)]
        for place in unknown:
            if self.group.owner_of(place).positions[place] == self.log[place].end:
                self.write_into(place)  # It is noticed with the next record.
        return not unknown and all(log.is_drained for _, log in self.log.of(PARKED))

    def reads_anew(self, place: TopicPartition, offset: int) -> None:
        """A log was cut: all that it has from this offset on may be delivered again."""
        log = self.log[place]
        self.far_end.may_repeat.update(one.name or "" for one in log.between(offset, log.end))
        self.group.is_disturbed = True
