"""What Kafka says was delivered to a destination, written to files that DuckDB reads.

The same facts as `ampgate trace` has (ampgate/trace/whereabouts.py): how far each group is, dead
letters, and parked records. Here for all records of some time, a partition after the other, and
none of them stays in memory. `sent` has what a delivery sends of a settled record, `traces` what
became of some of them; `comparison` puts both together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import msgspec
import orjson

from ampgate.archive.archive import Archive, Span
from ampgate.archive.batches import Wanted
from ampgate.resend.renames import renames_of
from ampgate.trace.commits import progress_in
from ampgate.trace.suppressed import suppressions_of
from ampgate.trace.whereabouts import Progress, insert_id_as_sent
from consumers.delivery.destination import Destination, Encoded, EncodesMany
from consumers.destinations import destinations_of
from schemas.configuration.config import Config
from schemas.letters import Origin
from schemas.records import Stored
from schemas.suppressions import Suppressions
from schemas.topics import Kind, Topics
from schemas.vendors.vendor import ConfiguredDestination

# Amplitude's names for what is no event; it exports none of them (amplitude.md#identify).
UPDATES = {Kind.USER_PROPERTIES: "$identify", Kind.GROUP_PROPERTIES: "$groupidentify"}


class Line(msgspec.Struct, gc=False):
    """A record that was sent, as DuckDB reads it."""

    insert_id: str
    event_type: str
    device_id: str | None
    user_id: str | None
    time: int | None  # Of the event, in milliseconds.
    accepted: int
    topic: int  # Its number among the kinds.
    partition: int
    offset: int
    settled: bool
    suppressed: bool  # Its user is now: it was delivered before, or skipped.


class Trace(msgspec.Struct, gc=False):
    """A dead letter, or a parked record: what became of one that was sent."""

    topic: int
    partition: int
    offset: int
    replayed: str
    state: str  # `dead`, `waiting` or `settled`.


class _Sent(msgspec.Struct, gc=False):
    """The members of a request's event that say which event it is."""

    insert_id: str
    event_type: str
    device_id: str | None = None
    user_id: str | None = None
    time: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A topic that the destination reads, and how far it is."""

    number: int
    topic: str
    destination: Destination
    own: Mapping[int, Progress]
    parked: Mapping[int, Progress]
    suppressed: Suppressions


_sent = msgspec.json.Decoder(_Sent)
_encoder = msgspec.json.Encoder()
OnRecords = Callable[[int], None]


async def parts_of(config: Config, configured: ConfiguredDestination, kafka: Archive) -> list[Part]:
    """Read before the records: then the traces of settled ones are there when they are read."""
    topics = config.kafka.topics
    suppressed = await suppressions_of(kafka, topics)
    found = []
    for one in destinations_of(configured, config.destinations):
        topic, group_id = topics.of(one.kind), topics.group_id(one.name, one.kind)
        own = await progress_in(kafka, group_id, topic, topics.parked)
        parked = await progress_in(kafka, group_id, topics.parked, topics.parked)
        found.append(Part(list(Kind).index(one.kind), topic, one, own, parked, suppressed))
    return found


async def spans_of(parts: Sequence[Part], kafka: Archive, since_ms: int) -> list[Span]:
    return [span for part in parts for span in await kafka.spans(part.topic, since_ms=since_ms)]


async def write_sent(
    kafka: Archive,
    parts: Sequence[Part],
    spans: Sequence[Span],
    wanted: Wanted,
    into: BinaryIO,
    on_records: OnRecords,
) -> None:
    by_topic = {part.topic: part for part in parts}

    async def write(records: list[Stored]) -> None:
        part = by_topic[records[0].topic]
        into.write(b"".join(_lines(part, records)))
        on_records(len(records))

    for span in spans:  # One after the other: what a fetch brings takes 100 MB as objects.
        await kafka.search([span], wanted, write)


async def write_traces(
    kafka: Archive,
    topics: Topics,
    parts: Sequence[Part],
    name: str,
    since_ms: int,
    into: BinaryIO,
) -> None:
    """Of letters that were written since then: a record is older than its letters."""
    renames = await renames_of(kafka, topics)
    by_topic = {part.topic: part for part in parts}

    async def write(records: list[Stored]) -> None:
        for one in records:
            said = one.header("origin")
            origin = None if said is None else Origin.parse(said)
            part = None if origin is None else by_topic.get(origin.place.topic)
            if origin is None or part is None or renames.of(one) != name:
                continue
            state = "dead" if one.topic == topics.dead_letters else _parked_state(part, one)
            place, offset = origin.place, origin.offset
            replayed = one.header("replayed_at") or ""
            trace = Trace(part.number, place.partition, offset, replayed, state)
            into.write(_encoder.encode(trace) + b"\n")

    needles = tuple(one.encode() for one in renames.names(name))
    for topic in (topics.dead_letters, topics.parked):
        for span in await kafka.spans(topic, since_ms=since_ms):
            await kafka.search([span], Wanted(needles, since_ms), write)


def _parked_state(part: Part, parked: Stored) -> str:
    progress = part.parked.get(parked.partition)
    is_settled = progress is not None and progress.is_settled(parked.offset)
    return "settled" if is_settled else "waiting"


def _lines(part: Part, records: Sequence[Stored]) -> list[bytes]:
    """What is sent of these records; nothing of one that is skipped, or unusable."""
    destination = part.destination
    if isinstance(destination, EncodesMany):
        outcomes = destination.encode_all(records)
    else:
        outcomes = [destination.encode(record) for record in records]
    progress = part.own.get(records[0].partition)
    lines: list[bytes] = []
    for record, outcome in zip(records, outcomes, strict=True):
        if isinstance(outcome, Encoded):
            settled = progress is not None and progress.is_settled(record.offset)
            line = _line(part, record, outcome, settled=settled)
            lines.append(_encoder.encode(line) + b"\n")
    return lines


def _line(part: Part, record: Stored, encoded: Encoded, *, settled: bool) -> Line:
    suppressed = encoded.user_id in part.suppressed
    place = (record.timestamp, part.number, record.partition, record.offset, settled, suppressed)
    if (update := UPDATES.get(part.destination.kind)) is not None:
        return Line(insert_id_as_sent(record), update, None, None, None, *place)
    try:
        said = _sent.decode(encoded.body)
    except msgspec.ValidationError:  # A time that is no integer, an id that is a number.
        said = _leniently(encoded.body)
    user_id, device_id = encoded.user_id or said.user_id, encoded.device_id or said.device_id
    return Line(said.insert_id, said.event_type, device_id, user_id, said.time, *place)


def _leniently(body: bytes) -> _Sent:
    found = orjson.loads(body)
    ids = [None if found.get(one) is None else str(found[one]) for one in ("device_id", "user_id")]
    time = found.get("time")
    return _Sent(
        str(found.get("insert_id")),
        str(found.get("event_type")),
        *(ids[0], ids[1], time if isinstance(time, int) else None),
    )
