"""What happens to the processes and to the parked topic, other than deliveries."""

from random import Random
from typing import TYPE_CHECKING

from schemas.letters import LetterHeaders, Origin
from schemas.records import TopicPartition
from tests.simulation.commits import commit
from tests.simulation.log import PARKED, TOPIC, Kept, Partition
from tests.simulation.process import Process
from tests.simulation.subjects import NAME

if TYPE_CHECKING:
    from tests.simulation.world import World

REVOKE_SECONDS = 5.0  # A grace period in which not all is answered.
CUT_MAX = 60  # Offsets that are lost at once.
CLEAN_SECONDS = 60.0  # One in which all is.
EXPELLED_SECONDS = 20.0
HOUR, WEEK = 3600.0, 7 * 86_400.0


class Disturbances:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._random: Random = world.random
        self._owners: dict[int, Process] = {}
        self._rebalance_by: float | None = None
        self._leavers: list[Process] = []
        self._is_clean = False
        self.is_disturbed = False  # Somebody forgot what it was told, so it may come too early.
        self._expelled: Process | None = None
        self._orphans: list[int] = []  # Partitions that wait for a worker to be started again.
        self.lives = 0
        self._rewrites: dict[TopicPartition, int] = {}  # How many still replace what was cut off.
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
            if self._owners[number] not in self.processes:  # Nobody was given it since.
                self._owners[number] = process
                process.assign(number)
        return process

    def failed(self, process: Process) -> None:
        """It commits what it can, and leaves its group; nothing of it is waited for."""
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

    def strike(self) -> None:
        faults, chance = self._world.faults, self._random.random
        if not self.processes:
            return
        if chance() < faults.failure:
            self._world.destination.is_struck = True
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
        if chance() < faults.unclean:
            self._cut()
        self._rewrite()
        if chance() < faults.markers:
            log = self._log_of_records()
            log.end += 0 if log.is_cut else self._random.choice([1, 5])
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

    @property
    def is_rewriting(self) -> bool:
        return bool(self._rewrites)

    def _cut(self) -> None:
        """An unclean election: others come in place of what was there, but no more than we notice.

        Once the log is as long again as it was for us, nobody can tell by the offsets.
        """
        world = self._world
        place = TopicPartition(TOPIC, self._random.randrange(world.log.partitions))
        log, owner = world.log[place], self._owners[place.partition]
        if log.is_cut or self._expelled is not None or world.written != world.records:
            return
        at = self._random.randint(max(log.begin, log.end - CUT_MAX), log.end)
        committed = owner.delivery.committable().get(place, log.committed)
        is_noticed = owner.positions.get(place, 0) > at
        if log.left is not None and log.left.read_to > at and not is_noticed:
            return  # Only the note of a former owner knows of more: nobody would notice.
        self._world.faults.unclean = 0.0  # Once: after that, offsets say less with each time.
        log.is_cut = is_noticed
        gone = log.cut(at)
        world.lost |= {record.name or "" for record in gone}
        # With the gaps between them, offsets of all these stay below what is known.
        unnoticed = max(0, min(log.committed, committed) - at - 1) // 2 if log.is_cut else 0
        for _ in range(min(unnoticed, len(gone))):
            world.write_into(place)
        self._rewrites[place] = len(gone) - min(unnoticed, len(gone))

    def _rewrite(self) -> None:
        for place, count in list(self._rewrites.items()):
            log = self._world.log[place]
            if not log.is_cut and (log.left is None or log.left.read_to <= log.end):
                del self._rewrites[place]
                for _ in range(count):
                    self._world.write_into(place)

    def _crash(self, process: Process) -> None:
        """What it sent and wrote is on its way; all that it knew is gone."""
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
                self._ended(process)

        self._world.later(self._random.uniform(0.0, EXPELLED_SECONDS), noticed)

    def _begin_rebalance(self) -> None:
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

    def _rebalance(self, deadline: float) -> None:
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
        """Partitions are added, if the group is at rest: somebody is the first owner of each."""
        if self._rebalance_by is not None or self._expelled is not None or not self.processes:
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
        sent = {self._world.name_of(one) for entry in in_flight for one in entry.parts or (entry,)}
        sent |= self._world.log.parked_names
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
        self._park_for(NAME, world.log.originals[name])

    def _park_for_others(self) -> None:
        name = self._random.choice(["b", NAME])
        topic = TOPIC if name == "b" else "other-records"
        number = self._random.randrange(self._world.log.partitions)
        offset = self._random.randrange(100)
        self._park_for(name, Kept(topic, number, offset, b"k", b"{}", name=None))

    def _park_for(self, destination: str, original: Kept) -> None:
        """As it was, though its log may have been cut since: a dead letter is there to replay."""
        world = self._world
        headers = LetterHeaders(
            destination=destination,
            reason="replay",
            detail="",
            origin=Origin(TopicPartition(original.topic, original.partition), original.offset),
            attempts=0,
            first_failed_at=world.now,
            accepted_at=original.timestamp / 1000 if original.timestamp else None,
            not_before=world.now + world.wall_ahead,
        ).encoded(())
        number, wall = original.partition, world.now + world.wall_ahead
        world.log.park(number, original.key, original.value, original.name, headers, wall)
