"""Logs lose records: their beginning to retention, and their end to an unclean election."""

from random import Random
from typing import TYPE_CHECKING

from schemas.records import TopicPartition
from tests.simulation.log import PARKED, TOPIC, Partition

if TYPE_CHECKING:
    from tests.simulation.world import World

CUT_MAX = 60  # Offsets that are lost at once.


class Losses:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._random: Random = world.random
        self._rewrites: dict[TopicPartition, int] = {}  # How many still replace what was cut off.

    @property
    def is_rewriting(self) -> bool:
        return bool(self._rewrites)

    def delete_parked(self) -> None:
        """Retention was set too short."""
        world = self._world
        place = TopicPartition(PARKED, self._random.randrange(world.log.partitions))
        log = world.log[place]
        begin = self._random.randint(log.begin, log.end)
        for record in log.between(log.begin, begin):
            if record.name is not None:
                world.lost.add(record.name)
        log.begin = begin

    def overtake(self) -> None:
        """Records are deleted, whether they were read or not."""
        log = self._log_of_records()
        log.begin = self._random.randint(log.begin, log.end)

    def mark(self) -> None:
        """A transaction ends, or was aborted: offsets without records."""
        log = self._log_of_records()
        log.end += 0 if log.is_cut else self._random.choice([1, 5])

    def cut(self) -> None:
        """An unclean election: others come in place of what was there, but no more than we notice.

        Once the log is as long again as it was for us, nobody can tell by the offsets.
        """
        world = self._world
        place = TopicPartition(TOPIC, self._random.randrange(world.log.partitions))
        log = world.log[place]
        owner = world.group.owner_of(place)
        if log.is_cut or world.group.has_expelled or world.written != world.records:
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

    def rewrite(self) -> None:
        for place, count in list(self._rewrites.items()):
            log = self._world.log[place]
            if not log.is_cut and (log.left is None or log.left.read_to <= log.end):
                del self._rewrites[place]
                for _ in range(count):
                    self._world.write_into(place)

    def _log_of_records(self) -> Partition:
        number = self._random.randrange(self._world.log.partitions)
        return self._world.log[TopicPartition(TOPIC, number)]
