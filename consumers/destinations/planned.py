"""A destination whose records are held to the plan of `[delivery]` (contract.md#plan).

Only records that came through no edge and no pull: those have no header `source`. A record that is
skipped is not checked. Pure.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from consumers.delivery.destination import (
    Destination,
    Encoded,
    EncodesMany,
    Limits,
)
from consumers.delivery.outcomes import Reject
from consumers.destinations.records import Outcome
from consumers.destinations.shaping.shaped import FAILED
from schemas.plans.checking import Held
from schemas.plans.plan import Violation
from schemas.records import Headers, Record

OnViolation: TypeAlias = Callable[[Record, Violation], None]


class Planned:
    def __init__(self, destination: Destination, held: Held, on_violation: OnViolation) -> None:
        self._destination = destination
        self._plan, self._blocks = held.plan, held.blocks
        self._on_violation = on_violation
        self.name = destination.name
        self.kind = destination.kind
        self.limits: Limits = destination.limits
        self.merge = destination.merge
        self.request, self.verdict = destination.request, destination.verdict

    def encode(self, record: Record) -> Outcome:
        return self._held(record, self._destination.encode(record))

    def encode_all(self, records: Sequence[Record]) -> Sequence[Outcome]:
        destination = self._destination
        if isinstance(destination, EncodesMany):
            outcomes = destination.encode_all(records)
        else:
            outcomes = [destination.encode(record) for record in records]
        return [self._held(record, one) for record, one in zip(records, outcomes, strict=True)]

    def _held(self, record: Record, outcome: Outcome) -> Outcome:
        is_usable = isinstance(outcome, Encoded)
        is_usable |= isinstance(outcome, Reject) and outcome.reason == FAILED
        if not is_usable or _has_source(record.headers):
            return outcome
        violation = self._plan.violation(self.kind, record.value or b"")
        if violation is None:
            return outcome
        self._on_violation(record, violation)
        return Reject(violation.reason, violation.message) if self._blocks else outcome


def _has_source(headers: Headers) -> bool:
    return any(name == "source" and value is not None for name, value in headers)
