"""What a pull is: one polled system, read page by page. Pure, but for the client it is given.

A pull shows objects; whether one is new or has changed since the last run is not its concern.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol, TypeVar

import msgspec

from schemas.decoding import NOT_DECODED
from schemas.strictness import Defect
from schemas.topics import Kind

OBJECT_ID_MAX = 1_000
SUPPRESSION: Final = "suppression"  # As a kind of record.
Decoded = TypeVar("Decoded")


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
    # Of the last page: where the next run begins,
    start: str | None = None
    # and where all is read once more if objects seem to be gone: pages move under who reads them.
    again: str | None = None


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


class TooLargeError(UnavailableError):
    """The answer has more bytes than are read: a smaller page may have fewer."""


class RefusedError(Exception):
    """The polled system refuses us until somebody changes something; the reason is snake_case."""


def failure(answer: Answer, what: str, *, is_lost: bool) -> Exception:
    """Of an answer that is not `what` was asked for; `is_lost`: a 4xx of it is the cursor's."""
    if not 400 <= answer.status < 500:
        return UnreadableError(f"status {answer.status} for {what}")
    if is_lost:
        return CursorLostError(f"status {answer.status}")
    return RefusedError(f"status_{answer.status}")


def object_id_of(name: str) -> str:
    """The name itself; of one too long for a key, a hash of it."""
    if len(name) <= OBJECT_ID_MAX:
        return name
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def decoded(decoder: msgspec.json.Decoder[Decoded], body: bytes, what: str) -> Decoded:
    """`UnreadableError` where the body is nothing of that kind."""
    try:
        return decoder.decode(body)
    except NOT_DECODED as error:
        raise UnreadableError(f"{what}: {error}") from error


def cursor_of(place: msgspec.Struct) -> str:
    """What `place_of` reads again."""
    return msgspec.json.encode(place).decode()


def place_of(decoder: msgspec.json.Decoder[Decoded], cursor: str) -> Decoded:
    """`CursorLostError` where it is none of this pull's: the name had another type before."""
    try:
        return decoder.decode(cursor)
    except NOT_DECODED as error:
        raise CursorLostError(f"a cursor of another kind: {error}") from error
