"""The records of a file, held to a plan: for a check before they are sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ampgate.preview.lines import chunks
from ampgate.preview.preview import kind_of
from schemas.keys import READERS
from schemas.plans.plan import Plan
from schemas.strictness import Defect


@dataclass(frozen=True, slots=True)
class Wrong:
    line: int
    reason: str
    path: str
    message: str


def check_file(plan: Plan, file: Path) -> Iterator[Wrong]:
    """All violations, and the lines that are no records at all."""
    for lines in chunks(file):
        for number, value in lines:
            kind = kind_of(value)
            facts = READERS[kind](value)
            if isinstance(facts, Defect):
                yield Wrong(number, facts.reason, facts.field, facts.message)
                continue
            for one in plan.violations(kind, value):
                yield Wrong(number, one.reason, one.path, one.message)
