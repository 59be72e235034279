"""`python -m tests.simulation --worlds 2000`, or `--seed 7 --seed 12` to see those again."""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from random import SystemRandom

from tests.simulation.seeds import Report, try_world


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--worlds", type=int, default=100, help="how many new worlds to try")
    parser.add_argument("--seed", type=int, action="append", help="this world; may be repeated")
    parser.add_argument("--kind", help="the destination of all worlds, if not the seed's own")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    seeds: list[int] = arguments.seed or [
        SystemRandom().randrange(2**32) for _ in range(arguments.worlds)
    ]
    began = time.perf_counter()
    with ProcessPoolExecutor(arguments.jobs) as pool:
        kinds = [arguments.kind] * len(seeds)
        reports = list(pool.map(try_world, seeds, kinds, chunksize=min(20, len(seeds) // 8 + 1)))
    tell(reports, time.perf_counter() - began)
    return 1 if any(report.failure for report in reports) else 0


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
