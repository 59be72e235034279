"""The outcomes of a record, by cause.

| outcome   | cause                   | what follows                                           |
|-----------|-------------------------|--------------------------------------------------------|
| Delivered |                         | the record is settled                                  |
| Skip      |                         | the destination has no use for it: settled and counted |
| Reject    | the record              | it is written to the dead letter topic                 |
| Hold      | its user or device      | records of that one are held, all others go on         |
| Split     | a record of the batch   | it is sent again in half of the batch                  |
| Resend    | another of the batch    | it is sent again at once                               |
| Retry     | the destination         | it is retried later, with fewer requests in flight     |
| Pause     | the configuration       | nothing is sent but one probe at a time                |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct

THROTTLED = "throttled"  # A Retry's reason: a project-wide rate limit.


IdKind: TypeAlias = Literal["user", "device", "key"]


class Id(NamedTuple):
    """A user, device or key that a destination can ask to wait."""

    kind: IdKind
    value: str


@dataclass(frozen=True, slots=True)
class Delivered:
    pass


@dataclass(frozen=True, slots=True)
class Skip:
    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    reason: str  # Stable, snake_case: a metric label.
    detail: str = ""  # The destination's words.


@dataclass(frozen=True, slots=True)
class Hold:
    seconds: float
    reason: str
    step_seconds: float | None = None  # Then the hold lasts until the clock's next multiple of it.

    def until(self, now: float) -> float:
        at = now + self.seconds
        return (
            at if self.step_seconds is None else (at // self.step_seconds + 1) * self.step_seconds
        )


@dataclass(frozen=True, slots=True)
class Split:
    reason: str
    detail: str = ""
    is_size: bool = False  # The request was too large: smaller ones are sent from here on.


@dataclass(frozen=True, slots=True)
class Resend:
    pass


@dataclass(frozen=True, slots=True)
class Retry:
    reason: str
    after_seconds: float | None = None  # None: our own backoff.


@dataclass(frozen=True, slots=True)
class Pause:
    reason: str
    may_be_content: bool = False  # If other requests succeed, these records are the cause.


Outcome: TypeAlias = Delivered | Skip | Reject | Hold | Split | Resend | Retry | Pause


SUPPRESSED = Skip("suppressed")  # Its user is (contract.md#suppression).


class Verdict(Struct, frozen=True):
    """One outcome for every record of a batch: `rest`, but for the listed indexes.

    `holds` names users and devices to hold, whether or not they have a record in the batch.
    """

    rest: Outcome
    but: Mapping[int, Outcome] = {}
    holds: Mapping[Id, Hold] = {}

    @property
    def is_all_delivered(self) -> bool:
        return not self.but and isinstance(self.rest, Delivered)
