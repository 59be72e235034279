"""What became of a record, named by who is to blame.

| outcome   | to blame          | what follows                                           |
|-----------|-------------------|--------------------------------------------------------|
| Delivered | nobody            | the record is settled                                  |
| Skip      | nobody            | the destination has no use for it: settled and counted |
| Reject    | the record        | it goes to the dead letter topic                       |
| Hold      | its user, device  | that one waits on its own clock, everyone else goes on |
| Split     | someone in it     | it goes out again in half the company                  |
| Resend    | a neighbour       | it goes out again at once                              |
| Retry     | the destination   | it goes out again later, and fewer requests fly        |
| Pause     | the configuration | everything waits; one request at a time probes         |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

THROTTLED = "throttled"  # A Retry's reason: the destination has enough of us, whatever we send.


class Id(NamedTuple):
    """Whom a destination can ask to wait."""

    kind: Literal["user", "device", "key"]
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
    detail: str = ""  # The destination's own words.


@dataclass(frozen=True, slots=True)
class Hold:
    seconds: float
    reason: str
    step_seconds: float | None = None  # Then it lasts until the clock's next multiple of it.

    def until(self, now: float) -> float:
        at = now + self.seconds
        return (
            at if self.step_seconds is None else (at // self.step_seconds + 1) * self.step_seconds
        )


@dataclass(frozen=True, slots=True)
class Split:
    reason: str
    detail: str = ""
    is_size: bool = False  # It was the size: smaller requests are sent from here on.


@dataclass(frozen=True, slots=True)
class Resend:
    pass


@dataclass(frozen=True, slots=True)
class Retry:
    reason: str
    after_seconds: float | None = None  # None leaves it to our own backoff.


@dataclass(frozen=True, slots=True)
class Pause:
    reason: str
    may_be_content: bool = False  # Where others get through, the records are to blame after all.


Outcome: TypeAlias = Delivered | Skip | Reject | Hold | Split | Resend | Retry | Pause


@dataclass(frozen=True, slots=True)
class Verdict:
    """One outcome for every record of a batch: `rest`, but for the listed indexes.

    `holds` names users and devices that must wait, whether or not they have a record in it.
    """

    rest: Outcome
    but: Mapping[int, Outcome] = field(default_factory=dict)
    holds: Mapping[Id, Hold] = field(default_factory=dict)
