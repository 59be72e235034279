"""What others write into the parked topic: an operator's replays, and other destinations."""

from random import Random
from typing import TYPE_CHECKING

from schemas.letters import LetterHeaders, Origin
from schemas.records import TopicPartition
from tests.simulation.log import PARKED, TOPIC, Kept
from tests.simulation.subjects import NAME

if TYPE_CHECKING:
    from tests.simulation.world import World


class OthersLetters:
    def __init__(self, world: "World") -> None:
        self._world = world
        self._random: Random = world.random

    def replay(self) -> None:
        """An operator wants something again that was delivered, or is dead."""
        world = self._world
        if not world.parks:
            return
        known = [*list(world.far_end.stored)[-20:], *list(world.dead)[-20:]]
        waiting = {record.name for _, log in world.log.of(PARKED) for record in log.unsettled()}
        outcasts = world.outcasts  # Records that always fail would be alone: like an outage.
        known = [name for name in known if name not in waiting and name not in outcasts]
        if not known:
            return
        name = self._random.choice(known)
        world.far_end.may_repeat[name] += 1
        world.far_end.replayed.add(name)
        self._park_for(NAME, world.log.originals[name])

    def park(self) -> None:
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
