"""New worlds with every commit, reproducible from the commit alone; and those that once failed."""

import subprocess
from pathlib import Path
from random import Random

import pytest

from tests.simulation.world import World

WORLDS = 60
REGRESSION_SEEDS = (10, 15, 22, 70)


def seeds() -> list[int]:
    here = Path(__file__).parent
    try:
        command = ["git", "rev-parse", "HEAD"]
        told = subprocess.run(command, cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return list(range(WORLDS))
    random = Random(told.stdout.strip())
    return [random.randrange(2**32) for _ in range(WORLDS)]


@pytest.mark.parametrize("seed", [*REGRESSION_SEEDS, *seeds()])
def test_every_promise_is_kept_in_this_world(seed: int) -> None:
    World(seed).run()


def test_one_seed_replays_every_decision() -> None:
    one, other = World(7), World(7)
    one.run()
    other.run()
    assert (one.now, one.requests, one.dead) == (other.now, other.requests, other.dead)
