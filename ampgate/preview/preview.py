"""Requests as the delivery's own engine would make them, of records that are in no topic. Pure.

Every request counts as delivered, and time passes as fast as the engine asks for it.
"""

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import quote_plus

import msgspec
from pydantic import SecretStr

from ampgate.preview.purity import Watched
from consumers.delivery import border
from consumers.delivery.batch import Batch
from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Destination, Encoded, Request, Response
from consumers.delivery.outcomes import Delivered, Reject, Skip, Verdict
from consumers.destinations import destinations_in
from consumers.transform_times import Timed
from schemas.configuration.config import Config, ConfigError
from schemas.decoding import NOT_DECODED
from schemas.plans.checking import Held, held
from schemas.records import Headers, Record, Stored, TopicPartition
from schemas.topics import Kind

MASK = "***"
MEMORY_BYTES = 2_000_000_000
_REPLY = Response(200, b"")


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, and the lines of the file that are in it."""

    endpoint: str
    body: object  # JSON, or a form as it is sent.
    lines: Sequence[int]


@dataclass(frozen=True, slots=True)
class Unsent:
    """A line that makes no request."""

    line: int
    outcome: str  # skipped or dead.
    reason: str
    detail: str = ""

    @property
    def shown(self) -> dict[str, object]:
        return {"line": self.line, "outcome": self.outcome, "reason": self.reason}


class _Members(msgspec.Struct):
    event_type: object = None
    group_type: object = None
    user_properties: object = None


_members = msgspec.json.Decoder(_Members)


def kind_of(value: bytes) -> Kind:
    """The topic that such a record is for; what is none counts as an event."""
    try:
        found = _members.decode(value)
    except NOT_DECODED:
        return Kind.EVENT
    if found.event_type is not None:
        return Kind.EVENT
    if found.group_type is not None:
        return Kind.GROUP_PROPERTIES
    return Kind.EVENT if found.user_properties is None else Kind.USER_PROPERTIES


class Preview:
    def __init__(
        self,
        config: Config,
        destination: str,
        warn: Callable[[str], None],
        source: str | None = None,
        now_ms: int = 0,
    ) -> None:
        named = {one.name: one for one in config.destinations}
        if destination not in named:
            known = ", ".join(sorted(named)) or "none"
            raise ConfigError(f"there is no destination {destination}; configured are: {known}")
        senders = ["kafka", *config.source_names()]
        if source is not None and source not in senders:
            raise ConfigError(f"there is no source {source}; there are: {', '.join(senders)}")
        configured = named[destination]
        masked = configured.model_copy(update={"api_key": SecretStr(MASK)})
        watched = Watched(configured.transform or "", warn)
        # Each call may take as long as in the delivery.
        parts = destinations_in(
            config, masked, lambda name, function: watched.of(name, Timed(name, function))
        )
        self._parts = {part.kind: part for part in parts}
        self._topics = config.kafka.topics
        self._now_ms = now_ms
        source = source or (configured.sources[0] if configured.sources else None)
        self._headers: Headers = [("source", source.encode())] if source else []
        self._held = _held_by(config, source)

    def of(self, lines: Sequence[tuple[int, bytes]]) -> Iterator[Sent | Unsent]:
        """What becomes of these records; each has a number, which rises."""
        for kind in Kind:
            records = [
                self._record(number, value, kind)
                for number, value in lines
                if kind_of(value) is kind
            ]
            yield from self._of_kind(kind, records)

    def _of_kind(self, kind: Kind, records: Sequence[Record]) -> Iterator[Sent | Unsent]:
        outcomes: dict[int, Encoded] = {}
        for record in records:
            outcome = self._outcome(kind, record)
            match outcome:
                case Encoded():
                    outcomes[record.offset] = outcome
                case Skip(reason):
                    yield Unsent(record.offset, "skipped", reason)
                case Reject(reason, detail):
                    yield Unsent(record.offset, "dead", reason, detail)
        if outcomes:
            part = _Prepared(self._parts[kind], outcomes)
            sent = [record for record in records if record.offset in outcomes]
            yield from _requests(part, self._topics.of(kind), sent)

    def _outcome(self, kind: Kind, record: Record) -> Encoded | Skip | Reject:
        if kind not in self._parts:
            return Skip("other_kind")
        outcome = border.encode(self._parts[kind], record)
        if self._held is not None and self._held.blocks and isinstance(outcome, Encoded):
            violation = self._held.plan.violation(kind, record.value or b"")
            if violation is not None:
                return Reject(violation.reason, violation.message)
        return outcome

    def _record(self, number: int, value: bytes, kind: Kind) -> Stored:
        topic = self._topics.of(kind)
        return Stored(topic, 0, number, self._now_ms, None, value, self._headers)


class _Prepared:
    """A destination of which each record was encoded before: its function is called no more."""

    def __init__(self, destination: Destination, outcomes: dict[int, Encoded]) -> None:
        self._destination = destination
        self._outcomes = outcomes
        self.name, self.kind = destination.name, destination.kind
        self.limits, self.merge = destination.limits, destination.merge

    def encode(self, record: Record) -> Encoded | Reject | Skip:
        return self._outcomes[record.offset]

    def request(self, batch: Sequence[Encoded]) -> Request:
        return self._destination.request(batch)

    def verdict(self, response: Response, batch: Sequence[Encoded]) -> Verdict:
        return Verdict(Delivered())


def _requests(part: _Prepared, topic: str, records: Sequence[Record]) -> Iterator[Sent]:
    engine = Delivery(
        part, topic=topic, parked_topic=None, memory_max_bytes=MEMORY_BYTES, random=Random(0)
    )
    now = 0.0
    engine.assign(TopicPartition(topic, 0), 0)
    engine.accept(records, now)
    while True:
        batch = engine.next_batch(now)
        if batch is not None:
            yield _sent(part.request(batch.encoded), batch)
            engine.settle(batch, _REPLY, now)
        elif (wakes_at := engine.wakes_at()) is not None:
            now = max(now + 0.001, wakes_at)
        else:
            return


def _sent(request: Request, batch: Batch) -> Sent:
    entries = [entry for _, part in batch.parts for entry in part]
    lines = [one.offset for entry in entries for one in entry.parts or (entry,)]
    return Sent(request.path, _readable(request), sorted(lines))


def _readable(request: Request) -> object:
    body = request.body
    if request.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    text = body.decode()
    if request.headers.get("content-type") == "application/json":
        return json.loads(text)
    return text.replace(quote_plus(MASK), MASK)


def _held_by(config: Config, source: str | None) -> Held | None:
    """The plan to which an edge would hold its records."""
    found = next((one for one in config.sources if one.name == source), None)
    return None if found is None else held(found)
