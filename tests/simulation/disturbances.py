"""What happens to the processes and to Kafka, other than deliveries: at most once each a step."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.world import World

HOUR, WEEK = 3600.0, 7 * 86_400.0


def strike(world: "World") -> None:
    faults, random, group, losses = world.faults, world.random, world.group, world.losses
    chance = random.random
    if not group.processes:
        return
    world.suppressing.strike()
    if chance() < faults.failure:
        world.destination.is_struck = True
    if group.is_busy:
        group.rebalance()
    elif chance() < faults.rebalance:
        group.begin_rebalance()
    if chance() < faults.crash:
        group.crash(random.choice(group.processes))
    if chance() < faults.expelled:
        group.expel()
    if chance() < faults.retention:
        losses.delete_parked()
    if chance() < faults.overtaking:
        losses.overtake()
    if chance() < faults.unclean:
        losses.cut()
    losses.rewrite()
    if chance() < faults.markers:
        losses.mark()
    if chance() < faults.replay:
        world.others.replay()
    if chance() < faults.clock:
        # By whole hours: a quota that ends with an hour still ends at the same second.
        world.wall_ahead += random.choice([-WEEK, -HOUR, HOUR, WEEK])
    if chance() < faults.others / 10:
        world.others.park()
