"""What all models share: a request, an answer, and what a fault imposes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import msgspec
import orjson

_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")
VIOLATIONS_KEPT = 100  # The first ones explain the rest; the total goes on counting.


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Header names are lower case; `query` is raw, without its `?`."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a script of faults imposes on one request, beyond the destination's own rules.

    Ids map to the seconds they are held, `None` for the destination's own time.
    """

    throttled: Mapping[str, float | None] = field(default_factory=dict)
    over_quota: Mapping[str, float | None] = field(default_factory=dict)
    silenced: frozenset[str] = frozenset()
    max_body_bytes: int | None = None
    rejected: Mapping[int, str] = field(default_factory=dict)  # By index, the field that is wrong.
    is_expired: bool = False  # What the request refers to is not known any more.
    moved_by: int = 0  # A page begins so many objects after its cursor.


FAIR = Conditions()


class Received(NamedTuple):
    """One accepted record: the endpoint, and its JSON on one line, as it was received."""

    endpoint: str
    body: bytes


class Violations:
    """Things that a correct client never does."""

    def __init__(self) -> None:
        self.first: list[str] = []
        self.total = 0

    def note(self, violation: str) -> None:
        self.total += 1
        if len(self.first) < VIOLATIONS_KEPT:
            self.first.append(violation)


class Model(Protocol):
    """An upstream without clock or I/O: equal requests at equal times get equal answers."""

    kind: str
    effects: frozenset[str]  # The fault effects that it knows.

    @property
    def received(self) -> list[Received]:
        """Accepted and not yet taken; a caller may empty it."""

    @property
    def violations(self) -> Violations: ...

    def answer(self, request: Request, now: float, conditions: Conditions = FAIR) -> Answer: ...

    def records(self, request: Request) -> list[dict[str, object]]:
        """What the request carries, as far as it can be read: for the matches of faults."""

    def properties(self, owner: Mapping[str, str]) -> dict[str, object] | None:
        """The current properties of a user, group or contact; `None` when it is unknown."""

    def stats(self) -> dict[str, object]: ...

    def reset(self) -> None: ...


def json_answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(
        status, {"content-type": "application/json", **(headers or {})}, orjson.dumps(body)
    )


def bearer_token(request: Request) -> str:
    """Empty where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def text_answer(status: int, text: str) -> Answer:
    return Answer(status, {"content-type": "text/plain; charset=utf-8"}, text.encode())


def one_line(raw: msgspec.Raw | bytes) -> bytes:
    """The same bytes. NDJSON needs one line, and in JSON a bare line end is always a space."""
    line = bytes(raw)
    return line.translate(_LINE_ENDS) if b"\n" in line or b"\r" in line else line
