"""What a world is made of: its limits, its users, a bad deploy; all drawn from its seed."""

from dataclasses import asdict, replace
from random import Random
from typing import TYPE_CHECKING

from consumers.delivery.destination import Limits, Rate
from tests.simulation.population import Population

RECORDS = 600
LONE_SECONDS_MAX = 60.0  # In a world, nothing that fails for a user lasts for hours.

if TYPE_CHECKING:
    from tests.simulation.world import World


def limits_of(world: "World") -> Limits:
    """The destination's, or tiny ones: what is rare at full size happens all the time."""
    random, limits = world.random, world.destination.limits
    records = 1 if world.subject.is_aampe else random.choice([1, 20, limits.records])
    together = 1 if limits.one_per_key else records
    rate = limits.rate
    if rate is not None and together <= 20 and random.random() < 0.5:
        rate = Rate(records=together * 3 + 20, seconds=30.0, burst=together + 10)
    return replace(
        limits,
        records=records,
        bytes=random.choice([400, limits.bytes]),
        linger_seconds=random.choice([0.0, 0.5]),
        concurrency=random.choice([1, 4]),
        lanes=random.choice([1, 4]),
        span_max=random.choice([50, 50_000]),
        rate=rate,
        policy=replace(limits.policy, lone_retry_seconds_max=LONE_SECONDS_MAX),
    )


def population_of(world: "World") -> Population:
    random = world.random
    owners = random.choice([1, 5, 50])
    # At most one, and only where other records succeed: if all fail, it looks like an outage.
    is_roomy = world.limits.span_max > 2 * RECORDS and world.memory > 1_000_000
    others_go_by = owners == 50 and (world.parks or is_roomy)
    outcast = None
    if others_go_by and random.random() < 0.6:
        outcast = random.randrange(RECORDS), random.choice(["cursed", "firewalled"])
    is_huge_refused = random.random() < 0.5
    return Population(
        world.subject, random, world.log, world.origins, owners, is_huge_refused, outcast
    )


def deploy_badly(world: "World", seed: int) -> None:
    """The far end refuses all that it gets, for a while."""
    random = world.random
    # A crash forgets which requests were refused: then a dead letter would prove nothing.
    world.faults.crash = world.faults.rebalance = world.faults.expelled = 0.0
    world.far_end.deployed_until = world.now + random.choice([20.0, 200.0, 1e9])
    # Few are enough to tell, or as many as usual; drawn apart, so that the rest stays as it was.
    usual = world.limits.policy
    few = Random(f"{seed} deploy").choice([40, 40, 40, usual.rejects_min])
    policy = replace(usual, rejects_min=few)
    world.limits = world.destination.limits = replace(world.limits, policy=policy)


def described(world: "World") -> str:
    deploy = f" bad_deploy={world.is_bad_deploy} lying={world.far_end.is_lying}"
    settings = f"memory={world.memory} parks={world.parks} proxy={world.far_end.proxy_bytes}"
    return f"{world.kind} {world.limits} {settings}{deploy} {asdict(world.faults)}"
