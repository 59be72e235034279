"""What the processes of a world commit, and what a commit may not lose."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from consumers.delivery.offsets import shortened
from consumers.kafka.commit_notes import CommitNote
from schemas.records import TopicPartition
from tests.simulation import process_reading
from tests.simulation.log import TOPIC, Kept
from tests.simulation.process import Process

if TYPE_CHECKING:
    from tests.simulation.world import World


def commit(world: "World", ranges_max: int | None) -> None:
    """Each with a note of so many ranges at most, or of all."""
    for process in world.processes:
        for place, offset in process.delivery.committable().items():
            if world.group.may_commit(process, place):
                left = process.delivery.unfinished(place)
                if ranges_max is not None:
                    left = shortened(left, ranges_max)
                held, after = process.delivery.holds(place), process.delivery.after(place)
                epoch = process.epochs.before(place, left.read_to)
                note = CommitNote(left, None, dict(held), at=process.now, after=after, epoch=epoch)
                commit_one(world, process, place, offset, note)


def commit_one(
    world: "World", process: Process, place: TopicPartition, offset: int, note: CommitNote
) -> None:
    log, before, left = world.log[place], world.log[place].committed, note.left
    log.committed, log.note = offset, note
    if not process_reading.knows(process, place):
        return  # Its offsets are those of a log that is no more.
    assert offset >= min(before, before if log.cut_to is None else log.cut_to), (
        "a commit went backwards"
    )
    settled: Sequence[Kept] = ()
    if note.epoch is None or log.has_all_of(note.epoch, left.read_to):
        settled = [one for one in log.between(offset, left.read_to) if left.has_settled(one.offset)]
    for record in (*log.between(world.checked[place], offset), *settled):
        assert is_accounted_for(world, record.name, place), f"{record.name} was lost: {place}"
    world.checked[place] = max(offset, world.checked[place])


def is_accounted_for(world: "World", name: str | None, place: TopicPartition) -> bool:
    if name is None or name in world.far_end.stored or name in world.dead or name in world.lost:
        return True
    if world.origins[name].kind == "skipped" or world.suppressing.may_drop(name):
        return True
    return place.topic == TOPIC and name in world.log.parked_names
