"""Which worlds are tried, and what came of one."""

import traceback
from dataclasses import dataclass
from random import Random

from tests.simulation.world import World

# Each once found a defect of the engine, whose return is a mutant in the list of these.
REGRESSION_SEEDS = (
    2,
    8,
    10,
    11,
    12,
    26,
    35,
    50,
    60,
    66,
    75,
    80,
    87,
    112,
    116,
    148,
    237197183,
    524175637,
    732641435,
    735806789,
    855856213,
    958104636,
    1287778054,
    1347847143,
    1660772354,
    1728272301,
    2157183729,
    2370626024,
    2609032640,
    3117046025,
    3227985665,
    3241929084,
    3378483542,
    3806638429,
    3908530316,
    4035166800,
    4171990523,
)


@dataclass(frozen=True, slots=True)
class Report:
    seed: int
    virtual_seconds: float
    requests: int
    swarm: str
    failure: str = ""


def try_world(seed: int, kind: str | None = None) -> Report:
    world = World(seed, kind)
    failure = ""
    try:
        world.run()
    except Exception:  # noqa: BLE001  # Whatever it is, the seed must be told.
        failure = traceback.format_exc(limit=-4)
    return Report(seed, world.now - world.born, world.requests, world.swarm, failure)


def seeds_of(text: str, count: int) -> list[int]:
    """The same for the same commit."""
    random = Random(text)
    return [random.randrange(2**32) for _ in range(count)]
