"""What a dialect is: bytes of a request in, records out, bytes of an answer back. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
import orjson

from gateway.dialects.insert_ids import new_insert_id
from schemas.events import (
    EventFacts,
    GroupFacts,
    IdentificationFacts,
    event_key,
    group_key,
    identification_key,
    read_event,
    read_group_identification,
    read_identification,
)
from schemas.records import Headers, NewRecord
from schemas.splicing import with_members, without
from schemas.strictness import Defect
from schemas.topics import Kind

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
POST = frozenset({"POST"})
SHOWN_BYTES_MAX = 64
LISTED_MAX = 1_000  # Of what is wrong with a request; the rest is counted.
RECORDS_MAX = 100_000  # Of one request: each is at least 30 times its text in memory.
_QUOTED = {name: b'"%b"' % name.encode() for name in ("insert_id", "time", "ip")}
_REMOTE_IP = b'"ip":"$remote"'
_Shape = TypeVar("_Shape")
Facts = EventFacts | IdentificationFacts | GroupFacts


class _Ip(msgspec.Struct, gc=False):
    ip: str


_ip_reader = msgspec.json.Decoder(_Ip)


class Request(NamedTuple):
    path: str
    query: bytes
    headers: Mapping[bytes, bytes]
    body: bytes


class Answer(NamedTuple):
    status: int
    body: bytes
    content_type: bytes = JSON


class RefusedError(Exception):
    """The request as a whole is not accepted, and nothing of it is stored."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Opened(NamedTuple):
    """A well-formed request: each record's own bytes, and what holds for all."""

    values: list[bytes]
    min_id_length: int = 0
    shared: Mapping[str, object] = {}


class Room(Protocol):
    """How much the records of a request may become."""

    def fill(self, size: int) -> None:
        """With so many bytes of a record; an exception that is the request's answer, if full."""


class Context(NamedTuple):
    """What the records of one request have in common."""

    headers: Headers
    now_ms: int
    remote_ip: str | None  # As the source's policy lets it be kept.
    shown_ip: Callable[[str], str | None]  # That policy, for addresses in the events.
    keeps_ip: bool
    room: Room


@dataclass(frozen=True, slots=True)
class Rejection:
    index: int
    defect: Defect
    value: bytes


@dataclass(slots=True)
class Batch:
    records: list[NewRecord] = field(default_factory=list)
    receipts: list[tuple[int, str]] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)


class Endpoint(Protocol):
    """One path of a dialect."""

    @property
    def dialect(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def methods(self) -> frozenset[str]: ...
    def seen_key(self, request: Request) -> str | None:
        """The write key, where the path, the query or a header has it: the body is not read yet."""

    def sent_key(self, request: Request) -> str:
        """The write key in the body, of which no more is read than that takes."""

    def open(self, request: Request) -> Opened: ...
    def read(self, opened: Opened, context: Context) -> Batch: ...
    def success(self, request: Request, batch: Batch, now_ms: int) -> Answer: ...
    def unknown_key(self, key: str) -> Answer: ...
    def failure(self, status: int, message: str) -> Answer: ...
    def throttled(self, count: int, rate: float) -> Answer:
        """So many records came, and their source is over its rate of records a second."""

    def silenced(self, indexes: Sequence[int]) -> Answer | None:
        """For records of suppressed users; None where the others are stored all the same."""


def shown(text: str) -> str:
    """What was sent, as an answer may repeat it: at most 64 bytes."""
    cut = text.encode("utf-8", "replace")
    return text if len(cut) <= SHOWN_BYTES_MAX else cut[:SHOWN_BYTES_MAX].decode("utf-8", "ignore")


def over_rate(endpoint: Endpoint) -> Answer:
    return endpoint.failure(429, "over the source's events_per_second")


def failure(status: int, message: str) -> Answer:
    """The error shape that SDKs of every dialect can read: an object with its code."""
    return Answer(status, orjson.dumps({"code": status, "error": message}))


def add_event(
    batch: Batch, index: int, value: bytes, event: bytes | Defect, context: Context
) -> None:
    """Take the event that a value was translated to, or reject the value."""
    if isinstance(event, Defect):
        batch.rejected.append(Rejection(index, event, value))
        return
    facts = read_event(event)
    if isinstance(facts, Defect):
        batch.rejected.append(Rejection(index, facts, value))
        return
    record, insert_id = record_of(event, facts, context)
    context.room.fill(len(record.value))
    batch.records.append(record)
    batch.receipts.append((index, insert_id))


def too_many(endpoint: Endpoint) -> Answer:
    return endpoint.failure(413, f"a request has {RECORDS_MAX} records at most")


def read_facts(kind: Kind, value: bytes) -> Facts | Defect:
    if kind is Kind.EVENT:
        return read_event(value)
    if kind is Kind.USER_PROPERTIES:
        return read_identification(value)
    return read_group_identification(value)


def key_of(facts: Facts) -> bytes | None:
    key: str | None
    if isinstance(facts, EventFacts):
        if facts.user_id is not None:
            return facts.user_id.encode()
        key = event_key(facts)
    elif isinstance(facts, IdentificationFacts):
        key = identification_key(facts)
    else:
        key = group_key(facts)
    return None if key is None else key.encode()


def record_of(value: bytes, facts: Facts, context: Context) -> tuple[NewRecord, str]:
    """The record and its insert_id, with what the edge fills in; the rest byte for byte."""
    insert_id = facts.insert_id
    if insert_id and facts.time is not None:
        located = _located(value, facts, context)
        if located is not None:
            return NewRecord(key_of(facts), located, context.headers), insert_id
    members: list[bytes] = []
    nulls: list[str] = []
    if not insert_id:  # An empty one would make all events of a device look like one.
        insert_id = new_insert_id()
        members.append(b'"insert_id":"%b"' % insert_id.encode())
        nulls.append("insert_id")
    if facts.time is None:
        members.append(b'"time":%d' % context.now_ms)
        nulls.append("time")
    if isinstance(facts, EventFacts):
        _ip(facts.ip, context, members, nulls)
    # A member that is there as `null`, or empty, or that the source may not keep, gives way.
    escaped = b"\\u00" in value  # As its name may be.
    standing = [name for name in nulls if escaped or _QUOTED[name] in value]
    if standing:
        value = without(value, *standing)
    if members:
        value = with_members(value, b",".join(members))
    return NewRecord(key_of(facts), value, context.headers), insert_id


def _located(value: bytes, facts: Facts, context: Context) -> bytes | None:
    """The value with its ip, where its place is plain to see; None where it is not."""
    if not isinstance(facts, EventFacts):
        return value
    if facts.ip is None:
        if _QUOTED["ip"] in value:
            return None
        shown = context.remote_ip
        return value if shown is None else with_members(value, _ip_member(shown))
    if facts.ip == "$remote":
        return _with_remote_ip(value, context.remote_ip)
    return value if context.keeps_ip else None


def _with_remote_ip(value: bytes, shown: str | None) -> bytes | None:
    """As browsers' SDKs ask for it, and in a tenth of the time of taking the object apart."""
    if shown is None or value.count(_REMOTE_IP) != 1:
        return None
    placed = value.replace(_REMOTE_IP, _ip_member(shown))
    # What was replaced may be a property of that name.
    return placed if _ip_reader.decode(placed).ip == shown else None


def _ip(ip: str | None, context: Context, members: list[bytes], nulls: list[str]) -> None:
    if ip is None or ip == "$remote":
        shown = context.remote_ip
    elif context.keeps_ip:
        return
    else:
        shown = context.shown_ip(ip)
    nulls.append("ip")
    if shown is not None:
        members.append(_ip_member(shown))


@lru_cache(maxsize=1_024)  # All events of a request come from one place.
def _ip_member(ip: str) -> bytes:
    return b'"ip":' + orjson.dumps(ip)


def split_json(decoder: msgspec.json.Decoder[_Shape], body: bytes) -> _Shape:
    """The outer shape of a whole body; the values in it stay bytes, for a fifth of a parse's cost.

    As strict as `parse_json`: of what is no JSON, msgspec passes over only what is not UTF-8 in
    values that it leaves. A number beyond every float is JSON, and passes.
    """
    try:
        shape = decoder.decode(body)
    except RecursionError as error:
        words = "malformed JSON: the nesting is far too deep"
        raise RefusedError(failure(400, words)) from error
    if not body.isascii():
        body.decode()
    return shape


def parse_json(body: bytes) -> Any:  # noqa: ANN401  JSON is anything.
    """The strict check of a whole body; `orjson.JSONDecodeError` says where it fails."""
    return orjson.loads(body)
