"""`python -m tests.simulation --worlds 2000`, or `--seed 7 --seed 12` to see those again.

`--mutants` breaks the engine on purpose, in every way of the list, and prints who noticed.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from random import SystemRandom

from tests.simulation.hunt import hunt
from tests.simulation.mutants import MUTANTS
from tests.simulation.seeds import Report, try_world


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--worlds", type=int, default=200, help="how many new worlds to try")
    parser.add_argument("--seed", type=int, action="append", help="this world; may be repeated")
    parser.add_argument("--first", type=int, default=0, help="the first seed of each hunt")
    parser.add_argument("--kind", help="the destination of all worlds, if not the seed's own")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--mutants", action="store_true", help="hunt for all mutants instead")
    arguments = parser.parse_args()
    if arguments.mutants:
        return hunt_all(arguments.first, arguments.worlds, arguments.jobs)
    seeds: list[int] = arguments.seed or [
        SystemRandom().randrange(2**32) for _ in range(arguments.worlds)
    ]
    began = time.perf_counter()
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        kinds = [arguments.kind] * len(seeds)
        reports = list(pool.map(try_world, seeds, kinds, chunksize=min(20, len(seeds) // 8 + 1)))
    tell(reports, time.perf_counter() - began)
    return 1 if any(report.failure for report in reports) else 0


def hunt_all(first: int, worlds: int, jobs: int) -> int:
    """Each hunt is a process of its own; the threads only wait for them."""
    survived = 0
    with ThreadPoolExecutor(jobs) as pool:
        for death in pool.map(partial(hunt, first=first, worlds=worlds), MUTANTS):
            survived += death.seed is None
            how = "SURVIVED" if death.seed is None else f"seed {death.seed}: {death.promise}"
            print(f"{death.name:50} {how}", flush=True)
    print(f"{len(MUTANTS) - survived} of {len(MUTANTS)} killed within {worlds} seeds each")
    return 1 if survived else 0


def tell(reports: list[Report], seconds: float) -> None:
    failed = [report for report in reports if report.failure]
    for report in failed[:10]:
        print(f"failed: --seed {report.seed}\n{report.failure}\n{report.swarm}\n")
    if failed:
        print(f"{len(failed)} failed: {[report.seed for report in failed]}")
    hours = sum(report.virtual_seconds for report in reports) / 3600
    requests = sum(report.requests for report in reports)
    print(f"{len(reports)} worlds, {hours:.1f} virtual hours, {requests} requests, {seconds:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
