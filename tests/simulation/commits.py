"""What the processes of a world commit, and what a commit may not lose."""

from typing import TYPE_CHECKING

from consumers.delivery.offsets import shortened
from consumers.kafka.commit_notes import CommitNote
from schemas.records import TopicPartition
from tests.simulation.log import TOPIC

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
                commit_one(world, place, offset, note)


def commit_one(world: "World", place: TopicPartition, offset: int, note: CommitNote) -> None:
    log, left = world.log[place], note.left
    if log.is_cut and log.restarted_at is None:  # Of offsets that are no more.
        log.committed, log.note = offset, note
        return
    if log.restarted_at is not None:
        log.committed = log.restarted_at
        world.checked[place] = min(world.checked[place], log.restarted_at)
        log.cut_to = log.restarted_at = None
    assert offset >= log.committed, "a commit went backwards"
    settled = [one for one in log.between(offset, left.read_to) if left.has_settled(one.offset)]
    for record in (*log.between(world.checked[place], offset), *settled):
        assert is_accounted_for(world, record.name, place), f"{record.name} was lost: {place}"
    world.checked[place] = max(offset, world.checked[place])
    log.committed, log.note = offset, note


def is_accounted_for(world: "World", name: str | None, place: TopicPartition) -> bool:
    if name is None or name in world.far_end.stored or name in world.dead or name in world.lost:
        return True
    if world.origins[name].kind == "skipped" or world.suppressing.may_drop(name):
        return True
    return place.topic == TOPIC and name in world.log.parked_names
