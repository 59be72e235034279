"""`python -m tests.simulation --worlds 500`, or `--seed 7 --seed 12` to see those again."""

import argparse
import sys
import time
import traceback
from random import SystemRandom

from tests.simulation.world import World


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--worlds", type=int, default=100, help="how many new worlds to try")
    parser.add_argument("--seed", type=int, action="append", help="this world; may be repeated")
    arguments = parser.parse_args()
    seeds: list[int] = arguments.seed or [
        SystemRandom().randrange(2**32) for _ in range(arguments.worlds)
    ]
    began = time.perf_counter()
    virtual, requests = 0.0, 0
    for seed in seeds:
        world = World(seed)
        born = world.now
        try:
            world.run()
        except Exception:  # noqa: BLE001  # Whatever it is, the seed must be told.
            traceback.print_exc()
            print(f"failed: --seed {seed}\n{world.swarm}")
            return 1
        virtual += world.now - born
        requests += world.requests
    took = time.perf_counter() - began
    hours = virtual / 3600
    print(f"{len(seeds)} worlds, {hours:.1f} virtual hours, {requests} requests, {took:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
