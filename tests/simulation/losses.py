"""Logs lose records: their beginning to retention, and their end to an unclean election."""

from collections import Counter
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
        self._rewrites: Counter[TopicPartition] = Counter()  # How many still replace what was cut.

    @property
    def is_rewriting(self) -> bool:
        return self._rewrites.total() > 0

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
        log.end += self._random.choice([1, 5])

    def cut(self) -> None:
        """An unclean election: other records get the same offsets, at once or later."""
        world = self._world
        place = TopicPartition(TOPIC, self._random.randrange(world.log.partitions))
        log = world.log[place]
        if world.group.has_expelled or world.written != world.records:
            return
        at = self._random.randint(max(log.begin, log.end - CUT_MAX), log.end)
        world.checked[place] = min(world.checked[place], at)
        gone = log.cut(at)
        world.lost |= {record.name or "" for record in gone}
        self._rewrites[place] += len(gone)

    def rewrite(self) -> None:
        for place in [place for place, count in self._rewrites.items() if count]:
            if self._random.random() < 0.3:
                for _ in range(self._rewrites.pop(place)):
                    self._world.write_into(place)

    def _log_of_records(self) -> Partition:
        number = self._random.randrange(self._world.log.partitions)
        return self._world.log[TopicPartition(TOPIC, number)]
