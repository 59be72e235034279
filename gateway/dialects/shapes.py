"""The interface of a dialect: request bytes in, records out, answer bytes back. Pure."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec
import orjson
from msgspec import Struct

from schemas.records import Headers, NewRecord
from schemas.strictness import Defect
from schemas.topics import Kind

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
POST = frozenset({"POST"})
SHOWN_BYTES_MAX = 64
LISTED_MAX = 1_000  # Errors that an answer lists; others are counted.
RECORDS_MAX = 100_000  # Records of one request: each takes at least 30 times its text in memory.
RECORD_BYTES = 400  # Memory of a record or a rejection besides its text.
_Shape = TypeVar("_Shape")
# Where members of a record stand in what is sent, if not under their own names.
Places: TypeAlias = Mapping[str, Sequence[tuple[str, ...]]]
NOWHERE: Final[Places] = {}


class Request(Struct):
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes = b""  # Raised after the key is known, unless the key is not needed for it.


class Answer(NamedTuple):
    status: int
    body: bytes
    content_type: bytes = JSON


class RefusedError(Exception):
    """The request as a whole is not accepted, and nothing of it is stored."""

    def __init__(self, answer: Answer, records: int = 0) -> None:
        """So many of its records are why: they count as rejected."""
        super().__init__(answer.status)
        self.answer = answer
        self.records = records


class Opened(NamedTuple):
    """A well-formed request: the bytes of each record, and what they have in common."""

    values: list[bytes]
    min_id_length: int = 0
    well_formed: bool = True  # Each value is JSON by itself.
    shared: Mapping[str, object] = {}
    shared_bytes: int = 0
    first: int = 0  # The index of the first of these values in the request.
    sent_ms: int | None = None  # When it was sent, by the clock that its events have, too.


class Room(Protocol):
    """Limits the bytes of the records of a request."""

    def fill(self, size: int) -> None:
        """Count so many bytes of a record; the exception is the request's answer if it is full."""

    def multiply(self, *, records: int, copied: int) -> None:
        """So many records more come of a value than itself, and so many bytes of others are copied
        into records; the same exception, before they are built.
        """

    def lend(self, size: int) -> AbstractContextManager[None]:
        """So many bytes for a while, or the same exception."""


class Context(Struct, frozen=True):
    """What the records of one request have in common."""

    headers: Headers
    now_ms: int
    remote_ip: str | None  # As far as the source's policy keeps it.
    shown_ip: Callable[[str], str | None]  # The same policy, for addresses in the events.
    keeps_ip: bool
    room: Room


@dataclass(frozen=True, slots=True)
class Rejection:
    index: int
    defect: Defect
    value: bytes
    key: bytes | None = None  # Of a whole record.


class Batch(Struct):
    records: list[NewRecord] = []
    receipts: list[tuple[int, str]] = []
    rejected: list[Rejection] = []
    blocked: list[Rejection] = []  # By the plan: this fails no request.

    def receipt_of(self, position: int) -> tuple[int, str]:
        """Of a record; where there are none, by its position."""
        return self.receipts[position] if self.receipts else (position, "")

    def add(self, more: "Batch") -> None:
        self.records += more.records
        self.receipts += more.receipts
        self.rejected += more.rejected


class Endpoint(Protocol):
    """One path of a dialect; what most dialects answer alike has a default."""

    dialect: str
    kind: Kind
    methods: frozenset[str]
    is_atomic: bool = False  # All of a request is stored, or nothing.
    places: Places = NOWHERE

    def seen_key(self, request: Request) -> str | None:
        """The write key, from the path, the query or a header, before the body is read."""

    def sent_key(self, request: Request) -> str:
        """The write key from the body, which is read only as far as needed."""

    def open(self, request: Request) -> Opened: ...
    def read(self, opened: Opened, context: Context) -> Batch: ...
    def refusal(self, batch: Batch) -> Answer | None:
        """The answer if its rejected records refuse all of a request."""
        return None

    def success(self, request: Request, batch: Batch, now_ms: int) -> Answer: ...
    def unknown_key(self, key: str) -> Answer: ...
    def failure(self, status: int, message: str) -> Answer:
        return failure(status, message)

    def throttled(self, count: int, rate: float) -> Answer:
        """The answer for records of a source that is over its rate."""
        return self.failure(429, "over the source's events_per_second")

    def silenced(self, indexes: Sequence[int]) -> Answer | None:
        """The answer if records of suppressed users came; None if the others are stored."""
        return None


def shown(text: str) -> str:
    """A value from the request to quote in an answer: at most 64 bytes."""
    cut = text.encode("utf-8", "replace")
    return text if len(cut) <= SHOWN_BYTES_MAX else cut[:SHOWN_BYTES_MAX].decode("utf-8", "ignore")


def failure(status: int, message: str) -> Answer:
    """The error shape that SDKs of every dialect can read: an object with its code."""
    return Answer(status, orjson.dumps({"code": status, "error": message}))


def too_many(endpoint: Endpoint) -> Answer:
    return endpoint.failure(413, f"a request has {RECORDS_MAX} records at most")


_TRUNCATED = "Input data was truncated"  # msgspec's only words without a position.


def split_json(decoder: msgspec.json.Decoder[_Shape], body: bytes) -> _Shape:
    """The outer shape of a whole body; its values stay bytes: a fifth of the cost of parsing all.

    msgspec does not check UTF-8 in values that it leaves as bytes, so that is checked here. A
    number too large for a float is JSON, and passes.
    """
    try:
        shape = decoder.decode(body)
    except msgspec.DecodeError as error:
        if str(error) != _TRUNCATED:
            raise
        words = f"JSON is malformed: it ends too early (byte {len(body)})"
        raise msgspec.DecodeError(words) from error
    if not body.isascii():
        body.decode()
    return shape
