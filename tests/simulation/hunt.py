"""`python -m tests.simulation.hunt NAME FIRST WORLDS`: which seed notices a mutant, and how."""

import importlib.abc
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from tests.simulation.mutant import Mutant
from tests.simulation.mutants import MUTANTS


@dataclass(frozen=True, slots=True)
class Death:
    name: str
    seed: int | None  # `None`: it survived.
    worlds: int
    promise: str


class _Mutating(importlib.abc.MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._mutant.module_name:
            return None
        spec = PathFinder.find_spec(fullname, path)
        assert spec is not None
        assert spec.origin is not None
        return importlib.util.spec_from_file_location(
            fullname, spec.origin, loader=_Loader(fullname, spec.origin, self._mutant)
        )


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, mutant: Mutant) -> None:
        super().__init__(fullname, path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path).decode()
        return compile(mutated(source, self._mutant), self.path, "exec")


def mutated(source: str, mutant: Mutant) -> str:
    for old, new in ((mutant.old, mutant.new), *mutant.also):
        assert source.count(old) == 1, f"{mutant.name!r} no longer fits the engine"
        source = source.replace(old, new)
    return source


def install(mutant: Mutant) -> None:
    """From here on, whoever imports the module gets the mutant."""
    assert mutant.module_name not in sys.modules, "it is too late for a mutation"
    sys.meta_path.insert(0, _Mutating(mutant))


def hunt(mutant: Mutant, first: int, worlds: int) -> Death:
    """Which of so many seeds, from the first one on, notices it?"""
    command = [sys.executable, "-m", "tests.simulation.hunt", mutant.name]
    command += [str(first), str(worlds)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.stdout, told.stderr[-1000:]
    seed, _, promise = told.stdout.strip().partition(" ")
    found = None if seed == "-" else int(seed)
    return Death(mutant.name, found, worlds, promise)


def main(name: str, first: int, worlds: int) -> None:
    mutant = next(one for one in MUTANTS if one.name == name)
    install(mutant)
    from tests.simulation.seeds import try_world

    for seed in range(first, first + worlds):
        report = try_world(seed, mutant.kind)
        if report.failure:
            print(seed, report.failure.strip().splitlines()[-1][:110])
            return
    print("-")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
