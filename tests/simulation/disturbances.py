"""What happens to the processes and to the parked topic, other than deliveries."""

from random import Random
from typing import TYPE_CHECKING

from schemas.letters import LetterHeaders, Origin
from schemas.records import TopicPartition
from tests.simulation.log import PARKED, TOPIC, Partition
from tests.simulation.process import Process
from tests.simulation.subjects import NAME

if TYPE_CHECKING:
    from tests.simulation.world import World

REVOKE_SECONDS = (
    5.0  # As the worker: the grace period of requests in flight before a partition is revoked.
)
EXPELLED_SECONDS = 20.0
HOUR, WEEK = 3600.0, 7 * 86_400.0


class Disturbances:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._random: Random = world.random
        self._owners: dict[int, Process] = {}
        self._rebalance_by: float | None = None
        self._leaver: Process | None = None
        self.is_disturbed = False  # Somebody forgot what it was told, so it may come too early.
        self._expelled: Process | None = None
        self.lives = 0
        self.processes: list[Process] = []
        self._start()
        self._assign()

    @property
    def is_busy(self) -> bool:
        return self._rebalance_by is not None

    def may_commit(self, process: Process, place: TopicPartition) -> bool:
        """Kafka takes a commit from the owner only."""
        return self._owners.get(place.partition) is process

    def _start(self) -> Process:
        self.lives += 1
        self.processes.append(Process(self._world))
        return self.processes[-1]

    def strike(self) -> None:
        faults, chance = self._world.faults, self._random.random
        if self._rebalance_by is not None:
            self._rebalance(self._rebalance_by)
        elif chance() < faults.rebalance:
            self._begin_rebalance()
        if chance() < faults.crash:
            self._crash(self._random.choice(self.processes))
        if chance() < faults.expelled:
            self._expel()
        if chance() < faults.retention:
            self._delete()
        if chance() < faults.overtaking:
            log = self._log_of_records()
            log.begin = self._random.randint(log.begin, log.end)
        if chance() < faults.markers:
            self._log_of_records().end += self._random.choice([1, 5])
        if chance() < faults.replay:
            self._replay()
        if chance() < faults.clock:
            # By whole hours, so that an hour of quota ends when it would have.
            self._world.wall_ahead += self._random.choice([-WEEK, -HOUR, HOUR, WEEK])
        if chance() < faults.others / 10:
            self._park_for_others()

    def _log_of_records(self) -> Partition:
        number = self._random.randrange(self._world.log.partitions)
        return self._world.log[TopicPartition(TOPIC, number)]

    def _crash(self, process: Process) -> None:
        """What it sent and wrote is on its way; all that it knew is gone."""
        process.is_alive = False
        self.processes.remove(process)
        self._expect_repeats(process)
        self._reboot(process)

    def _reboot(self, gone: Process) -> None:
        """Its partitions go to the other one, or to a new one in its place."""
        self.is_disturbed = True
        numbers = [number for number, owner in self._owners.items() if owner is gone]
        heirs = [process for process in self.processes if process is not self._expelled]
        if not heirs or self._random.random() < 0.5:
            heirs.append(self._start())
        heir = self._random.choice(heirs)
        for number in numbers:
            self._owners[number] = heir
            heir.assign(number)

    def _expel(self) -> None:
        """It was too slow for its group: somebody else is the owner, and it goes on for a while."""
        if self._rebalance_by is not None or len(self.processes) > 1:
            return
        self._expelled = process = self.processes[0]
        self._expect_repeats(process)
        heir = self._start()
        for number in list(self._owners):
            self._owners[number] = heir
            heir.assign(number)
        self.is_disturbed = True

        def noticed() -> None:
            self._expelled = None
            if process.is_alive:
                process.revoke()
                process.is_alive = False
                self.processes.remove(process)

        self._world.later(self._random.uniform(0.0, EXPELLED_SECONDS), noticed)

    def _begin_rebalance(self) -> None:
        """One joins or leaves; all stop, wait for requests in flight, and commit."""
        if self._expelled is not None:
            return
        if len(self.processes) > 1 and self._random.random() < 0.5:
            self._leaver = self._random.choice(self.processes)
        elif self._random.random() < 0.5:
            self._start()
        for process in self.processes:
            process.is_draining = True
        self._rebalance_by = self._world.now + self._random.choice([0.0, REVOKE_SECONDS])

    def _rebalance(self, deadline: float) -> None:
        if any(process.in_flight for process in self.processes) and self._world.now < deadline:
            return
        self._world.commit()
        for process in self.processes:
            self._expect_repeats(process)
            process.revoke()
            process.check()
            process.is_draining = False
        if self._leaver in self.processes and len(self.processes) > 1:
            self._leaver.is_alive = False
            self.processes.remove(self._leaver)
        self._leaver = self._rebalance_by = None
        self.is_disturbed = True
        self._assign()

    def grow(self) -> bool:
        """Partitions are added, if the group is at rest: somebody is the first owner of each."""
        if self._rebalance_by is not None or self._expelled is not None:
            return False
        for number in self._world.log.grow():
            self._owners[number] = owner = self._random.choice(self.processes)
            owner.assign(number)
        return True

    def _assign(self) -> None:
        for number in range(self._world.log.partitions):
            process = self._random.choice(self.processes)
            self._owners[number] = process
            process.assign(number)

    def _expect_repeats(self, process: Process) -> None:
        """What it has not committed is read again; only what it had sent is delivered twice."""
        in_flight = (
            entry for batch in process.in_flight for _, part in batch.parts for entry in part
        )
        sent = {self._world.name_of(one) for entry in in_flight for one in entry.parts or (entry,)}
        for number, owner in self._owners.items():
            if owner is process:
                for topic in (TOPIC, PARKED):
                    log = self._world.log[TopicPartition(topic, number)]
                    for record in log.unsettled():
                        if record.name in self._world.far_end.stored or record.name in sent:
                            self._world.far_end.may_repeat[record.name] += 1

    def _delete(self) -> None:
        """Retention was set too short."""
        world = self._world
        place = TopicPartition(PARKED, self._random.randrange(world.log.partitions))
        log = world.log[place]
        begin = self._random.randint(log.begin, log.end)
        for record in log.between(log.begin, begin):
            if record.name is not None:
                world.lost.add(record.name)
        log.begin = begin

    def _replay(self) -> None:
        """An operator wants something again that was delivered, or is dead."""
        world = self._world
        if not world.parks:
            return
        known = [*list(world.far_end.stored)[-20:], *list(world.dead)[-20:]]
        waiting = {record.name for _, log in world.log.of(PARKED) for record in log.unsettled()}
        outcasts = world.outcasts  # They would be alone, which looks like an outage.
        known = [name for name in known if name not in waiting and name not in outcasts]
        if not known:
            return
        name = self._random.choice(known)
        world.far_end.may_repeat[name] += 1
        world.far_end.replayed.add(name)
        origin = world.origins[name]
        self._park_for(NAME, name, TOPIC, origin.partition, origin.offset)

    def _park_for_others(self) -> None:
        name = self._random.choice(["b", NAME])
        topic = TOPIC if name == "b" else "other-records"
        number = self._random.randrange(self._world.log.partitions)
        self._park_for(name, None, topic, number, self._random.randrange(100))

    def _park_for(
        self, destination: str, name: str | None, topic: str, number: int, offset: int
    ) -> None:
        world = self._world
        headers = LetterHeaders(
            destination=destination,
            reason="replay",
            detail="",
            origin=Origin(TopicPartition(topic, number), offset),
            attempts=0,
            first_failed_at=world.now,
            not_before=world.now + world.wall_ahead,
        ).encoded(())
        found = world.log[TopicPartition(TOPIC, number)].between(offset, offset + 1)
        key, value = (found[0].key, found[0].value) if found else (b"k", b"{}")
        world.log.park(number, key, value, name, headers, world.now + world.wall_ahead)
