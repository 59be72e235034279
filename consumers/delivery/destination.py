"""What a destination consists of: three pure functions and its limits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

from consumers.delivery.outcomes import Reject, Skip, Verdict
from consumers.delivery.policy import USUAL, Policy
from schemas.records import Record
from schemas.topics import Kind


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `records` of one id in any `seconds`; `burst` of them may be sent at once."""

    records: int
    seconds: float
    burst: int

    @property
    def interval(self) -> float:
        """Seconds between records, so that a burst plus a window at this pace is `records`."""
        return self.seconds / (self.records - self.burst)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may carry, how long to wait to fill it, how many are in flight."""

    records: int
    bytes: int
    linger_seconds: float
    concurrency: int
    lanes: int = 1  # Per partition: how many of its keys may be in flight at once.
    one_per_key: bool = False  # Never two records of one key in a request.
    span_max: int = 50_000  # Per partition: how many records a crash may send again.
    rate: Rate | None = None  # Rate of one user or device, enforced on our side.
    policy: Policy = USUAL


class Encoded(Struct, gc=False):
    """A record in the destination's wire form, encoded once, with its user and device."""

    body: bytes
    key: str
    user_id: str | None = None
    device_id: str | None = None
    path: str = ""
    left_out: int = 0  # Property operations left out: the destination does not have them.


class Request(Struct, frozen=True):
    path: str
    headers: Mapping[str, str]
    body: bytes


class Response(Struct, frozen=True):
    status: int
    body: bytes
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No response came: the destination may or may not have stored the request."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsendable:
    """No request was sent: `request` failed for these records."""

    detail: str


Reply: TypeAlias = Response | Unreachable


Merge: TypeAlias = Callable[[Encoded, Encoded], Encoded | None]


class Destination(Protocol):
    """Everything that a new destination must provide."""

    name: str
    kind: Kind
    limits: Limits
    # Two records of one key as one with exactly the same effect, or None if there is none.
    merge: Merge | None

    def encode(self, record: Record) -> Encoded | Reject | Skip: ...

    def request(self, batch: Sequence[Encoded]) -> Request: ...

    def verdict(self, response: Response, batch: Sequence[Encoded]) -> Verdict: ...


@runtime_checkable
class EncodesMany(Protocol):
    """What a destination may be besides: faster where many records come at once."""

    def encode_all(self, records: Sequence[Record]) -> Sequence[Encoded | Reject | Skip]:
        """As `encode` of each; where it would raise for one, this may raise for all."""


def ambiguity(reply: Reply | Unsendable) -> str | None:
    """Why it is unknown whether the destination stored the request; `None` when it is known."""
    match reply:
        case Unreachable("connect_failed"):
            return None
        case Unreachable(reason):
            return reason
        case Response(status=500 | 502 | 504 as status):
            return f"status_{status}"
        case Response() | Unsendable():
            return None
