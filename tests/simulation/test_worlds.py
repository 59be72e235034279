"""New worlds with every commit, reproducible from the commit alone; and those that once failed."""

import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.simulation.hunt import hunt, mutated
from tests.simulation.mutant import Mutant
from tests.simulation.mutants import MUTANTS
from tests.simulation.seeds import REGRESSION_SEEDS, Report, seeds_of, try_world
from tests.simulation.subjects import SUBJECTS
from tests.simulation.world import World

WORLDS = 100  # `python -m tests.simulation --worlds 2000` tries more.
HERE = Path(__file__).parent
# A few that are noticed at once; `python -m tests.simulation --mutants` hunts for all of them.
QUICK = ("commits past the lowest unsettled", "a Retry-After is ignored", "one key in two batches")


def test_every_promise_is_kept_in_every_world() -> None:
    failed = _failed([*REGRESSION_SEEDS, *seeds_of(_commit(), WORLDS)])

    assert failed == [], f"python -m tests.simulation --seed {failed[0].seed}\n{failed[0].failure}"


@pytest.mark.parametrize("kind", SUBJECTS)
def test_every_destination_has_a_world_in_which_it_delivers(kind: str) -> None:
    world = World(7, kind)
    world.run()

    assert world.far_end.stored


def test_one_seed_replays_every_decision() -> None:
    one, other = World(7), World(7)
    one.run()
    other.run()
    assert (one.now, one.requests, one.dead) == (other.now, other.requests, other.dead)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_another_engine(mutant: Mutant) -> None:
    path = Path(*mutant.module_name.split(".")).with_suffix(".py")
    source = (HERE.parent.parent / path).read_text()

    assert compile(mutated(source, mutant), path, "exec") != compile(source, path, "exec")


@pytest.mark.parametrize("name", QUICK)
def test_a_broken_engine_is_noticed(name: str) -> None:
    [mutant] = [one for one in MUTANTS if one.name == name]

    assert hunt(mutant, first=0, worlds=20).seed is not None


def _failed(seeds: Sequence[int]) -> list[Report]:
    # Spawned: the tests before may have left threads, which a fork would not survive.
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return [report for report in pool.map(try_world, seeds, chunksize=10) if report.failure]


def _commit() -> str:
    try:
        command = ["git", "rev-parse", "HEAD"]
        told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "no commit"
    return told.stdout.strip()
