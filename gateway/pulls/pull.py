"""What a pull is: one polled system, read page by page. Pure, but for the client it is given.

A pull shows objects; whether one is new or has changed since the last run is not its concern.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol

from schemas.strictness import Defect
from schemas.topics import Kind

SUPPRESSION: Final = "suppression"  # As a kind of record.


class Suppress(NamedTuple):
    """A suppression, by its key. Without `since` (RFC 3339), since the run began."""

    name: str
    reason: str
    since: str | None


class Lift(NamedTuple):
    """The end of a suppression."""

    name: str


class Item(NamedTuple):
    """One object of the polled system, and the record that it becomes.

    The record has no `insert_id`: it is added when it is known to be new; so is `time`, if it has
    none. Without a `version` of its own, an object has changed when its record has.
    """

    object_id: str
    kind: Kind | Literal["suppression"]
    original: bytes  # As it was read: what a dead letter keeps.
    record: bytes | Suppress | Lift | Defect | None  # None: it says nothing.
    version: bytes | None = None


@dataclass(frozen=True, slots=True)
class Page:
    items: Sequence[Item]
    cursor: str | None  # Where the next page begins; None after the last one.
    wait_seconds: float = 0.0  # Before the next page is asked for: it is being prepared.
    spends: int = 0  # The next page uses so many of what the API allows a month.


class Answer(NamedTuple):
    """What an API answered. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Api(Protocol):
    """The client of one account: it keeps the pace, waits where it is told to, and logs in."""

    async def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Answer:
        """The answer, if it is about this very request: a success, a redirect or a 4xx.

        `RefusedError`: we may not. `UnavailableError`: it is down, or has no room for us.
        """

    async def download(self, path: str, into: Path) -> Answer:
        """As `get`; a success's body is in the file. It may come from another host."""


class Pull(Protocol):
    async def page(self, api: Api, cursor: str | None) -> Page:
        """The page at the cursor, or the first one. `CursorLostError`: it leads nowhere any more.

        `UnreadableError`: what came is nothing that the API documents.
        """

    def gone(self, object_id: str) -> Item | None:
        """What an object becomes that the last run saw and this one did not; None: nothing."""

    @property
    def sees_gone(self) -> bool:
        """Whether a run shows all objects, so that one that it does not show is gone."""


class CursorLostError(Exception):
    """The polled system does not know the cursor any more: the run starts over."""


class UnreadableError(Exception):
    """The answer is none that the API documents; the message says what it is."""


class UnavailableError(Exception):
    """The polled system cannot answer now; the message says why."""


class RefusedError(Exception):
    """The polled system refuses us until somebody changes something; the reason is snake_case."""


def failure(answer: Answer, what: str, *, is_lost: bool) -> Exception:
    """Of an answer that is not `what` was asked for; `is_lost`: a 4xx of it is the cursor's."""
    if not 400 <= answer.status < 500:
        return UnreadableError(f"status {answer.status} for {what}")
    if is_lost:
        return CursorLostError(f"status {answer.status}")
    return RefusedError(f"status_{answer.status}")
