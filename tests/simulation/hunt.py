"""`python -m tests.simulation.hunt NAME WORLDS`: the first seed that notices this mutant, and how."""

import sys

from tests.simulation.mutants import MUTANTS, install


def main(name: str, worlds: int) -> None:
    mutant = next(one for one in MUTANTS if one.name == name)
    install(mutant)
    from tests.simulation.seeds import try_world

    for seed in range(worlds):
        report = try_world(seed, mutant.kind)
        if report.failure:
            print(seed, report.failure.strip().splitlines()[-1][:110])
            return
    print("-")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
