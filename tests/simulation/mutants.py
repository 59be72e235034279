"""Engines that are broken on purpose: each must make some world fail.

A mutant is a replacement in the source of one module, made as it is imported. So it runs in a
process of its own: `python -m tests.simulation.hunt NAME WORLDS`.
"""

from collections.abc import Sequence

from tests.simulation import mutants_of_answers, mutants_of_records, mutants_of_shell
from tests.simulation.mutant import Mutant

MUTANTS: Sequence[Mutant] = (
    *mutants_of_records.MUTANTS,
    *mutants_of_shell.MUTANTS,
    *mutants_of_answers.MUTANTS,
)
