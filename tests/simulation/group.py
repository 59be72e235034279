"""The processes as members of a group: who owns which partition, and how that changes."""

from random import Random
from typing import TYPE_CHECKING

from schemas.records import TopicPartition
from tests.simulation.commits import commit
from tests.simulation.log import PARKED, TOPIC
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World

REVOKE_SECONDS = 5.0  # A grace period in which not all is answered.
CLEAN_SECONDS = 60.0  # One in which all is.
EXPELLED_SECONDS = 20.0


class Group:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._random: Random = world.random
        self._owners: dict[int, Process] = {}
        self._rebalance_by: float | None = None
        self._leavers: list[Process] = []
        self._is_clean = False
        self.is_disturbed = False  # A process lost its waits: it may send too early.
        self._expelled: Process | None = None
        self._orphans: list[int] = []  # Partitions that wait for a worker to be started again.
        self.lives = 0
        self.processes: list[Process] = []
        self._start()
        self._assign()

    @property
    def is_busy(self) -> bool:
        return self._rebalance_by is not None

    @property
    def is_at_rest(self) -> bool:
        """Whether each partition has exactly one owner, and that process has noticed."""
        return self._rebalance_by is None and self._expelled is None and bool(self.processes)

    @property
    def has_expelled(self) -> bool:
        return self._expelled is not None

    def owner_of(self, place: TopicPartition) -> Process:
        return self._owners[place.partition]

    def may_commit(self, process: Process, place: TopicPartition) -> bool:
        """Kafka takes a commit from the owner only."""
        return self._owners.get(place.partition) is process

    def _start(self) -> Process:
        self.lives += 1
        process = self._joined()
        if self._world.shell is not None:
            self._world.shell.workers.began(process)
        return process

    def _joined(self) -> Process:
        process = Process(self._world)
        self.processes.append(process)
        return process

    def _ended(self, process: Process) -> None:
        process.is_alive = False
        self.processes.remove(process)
        if self._world.shell is not None:
            self._world.shell.workers.ended(process)

    def started_again(self) -> Process:
        """A worker that failed, with the partitions that nobody has."""
        process = self._joined()
        orphans, self._orphans = self._orphans, []
        for number in orphans:
            if self._owners[number] not in self.processes:  # It has had no owner since.
                self._owners[number] = process
                process.assign(number)
        return process

    def failed(self, process: Process) -> None:
        """It commits what it can, and leaves its group without waiting for replies."""
        if self._random.random() < 0.5:
            commit(self._world, self._world.ranges_max)
        process.is_alive = False
        self.processes.remove(process)
        if process is self._expelled:
            self._expelled = None
        self._expect_repeats(process)
        self.is_disturbed = True
        numbers = [number for number, owner in self._owners.items() if owner is process]
        heirs = [process for process in self.processes if process is not self._expelled]
        if not heirs:
            self._orphans += numbers
            return
        heir = self._random.choice(heirs)
        for number in numbers:
            self._owners[number] = heir
            heir.assign(number)

    def crash(self, process: Process) -> None:
        """Its requests and writes still arrive; its memory is lost."""
        self._ended(process)
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

    def expel(self) -> None:
        """It was too slow for its group: its partitions have another owner, and it notices late."""
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
                self._ended(process)

        self._world.later(self._random.uniform(0.0, EXPELLED_SECONDS), noticed)

    def begin_rebalance(self) -> None:
        """Some join, leave or are restarted; all stop, wait for what is under way, and commit."""
        if self._expelled is not None:
            return
        if len(self.processes) > 1 and self._random.random() < 0.5:
            self._leavers = [self._random.choice(self.processes)]
        elif self._random.random() < 0.5:
            self._start()
        elif self._random.random() < 0.5:
            self._leavers = list(self.processes)  # SIGTERM, or another configuration.
        for process in self.processes:
            process.begin_drain()
        seconds = self._random.choice([0.0, REVOKE_SECONDS, CLEAN_SECONDS, CLEAN_SECONDS])
        self._is_clean = seconds == CLEAN_SECONDS
        self._rebalance_by = self._world.now + seconds

    def rebalance(self) -> None:
        """It ends once all are drained, or at its deadline."""
        deadline = self._rebalance_by
        assert deadline is not None
        is_drained = all(process.is_drained for process in self.processes)
        if not is_drained and self._world.now < deadline:
            return
        assert is_drained or not self._is_clean, "the drain did not end"
        # A longer note is kept among the parked, where there is that topic.
        is_whole = self._is_clean and self._world.parks
        commit(self._world, None if is_whole else self._world.ranges_max)
        for process in self.processes:
            if not is_whole:
                self._expect_repeats(process)
            process.revoke()
            process.check()
        for leaver in self._leavers:
            if leaver in self.processes:
                self._ended(leaver)
        if not self.processes:
            self._start()
        self._leavers, self._rebalance_by = [], None
        self.is_disturbed = True
        self._assign()

    def grow(self) -> bool:
        """Partitions are added, if no rebalance is under way: each gets its first owner."""
        if not self.is_at_rest:
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
        """What it has not committed is read again; what it had sent, or parked, comes twice."""
        in_flight = (
            entry for batch in process.in_flight for _, part in batch.parts for entry in part
        )
        sent = {
            self._world.letters.name_of(one)
            for entry in in_flight
            for one in entry.parts or (entry,)
        }
        sent |= self._world.log.parked_names
        for number, owner in self._owners.items():
            if owner is process:
                for topic in (TOPIC, PARKED):
                    log = self._world.log[TopicPartition(topic, number)]
                    for record in log.unsettled():
                        if record.name in self._world.far_end.stored or record.name in sent:
                            self._world.far_end.may_repeat[record.name] += 1
