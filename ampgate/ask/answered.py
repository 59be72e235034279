"""What a destination answered to a question about a user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class State(StrEnum):
    KNOWN = "known"
    UNKNOWN = "unknown"
    FAILED = "failed"
    NOT_ASKED = "not_asked"  # There is no key for it, or no such API.


@dataclass(frozen=True, slots=True)
class Answered:
    """`says` is for people, `detail` the destination's own words."""

    destination: str
    question: str
    state: State
    says: str
    detail: Mapping[str, object] | Sequence[object] = field(default_factory=dict)
