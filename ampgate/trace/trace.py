"""`ampgate trace`: where is my event, per destination? Answered from Kafka alone."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from aiokafka.partitioner import murmur2

from ampgate.archive.archive import Archive, Span, archive
from ampgate.archive.batches import Wanted
from ampgate.archive.spellings import spellings
from ampgate.resend.parking import EDGE
from ampgate.resend.renames import NONE, Renames, renames_of
from ampgate.trace.commits import Commits, commits_of, held_ahead
from ampgate.trace.whereabouts import (
    Evidence,
    State,
    Whereabouts,
    identity_of,
    insert_id_as_sent,
    locate,
    original_of,
    whereabouts,
)
from consumers.delivery.destination import Destination
from consumers.destinations import destinations_of
from schemas.configuration.config import Config
from schemas.records import Stored
from schemas.topics import Kind

NEEDLES_MAX = 50  # Searching for more strings costs more than decoding all records.


@dataclass(frozen=True, slots=True)
class ByUser:
    """All records of a user or device: those with its key, or with its id in the value.

    The key decides, unless all is searched: a service may have written a wrong key.
    """

    user: str
    everywhere: bool = False

    @property
    def needles(self) -> tuple[bytes, ...]:
        return spellings(self.user)

    def matches(self, record: Stored) -> bool:
        if record.key is not None and not self.everywhere:
            return record.key == self.user.encode()
        identity = identity_of(record.value)
        named = self.user in (identity.user_id, identity.device_id)
        return named or record.key == self.user.encode()


@dataclass(frozen=True, slots=True)
class ByInsertId:
    insert_id: str

    @property
    def needles(self) -> tuple[bytes, ...]:
        return spellings(self.insert_id)

    def matches(self, record: Stored) -> bool:
        return insert_id_as_sent(record) == self.insert_id


Sought = ByUser | ByInsertId


@dataclass(frozen=True, slots=True)
class Search:
    """What to find, and from which time on."""

    sought: Sought
    since_ms: int | None = None
    limit: int | None = None  # Of these, the newest records.


# Dead letters or parked records, by the origin and the destination that their headers name.
_ByOrigin = Mapping[tuple[str | None, str | None], Sequence[Stored]]


def partition_of(key: str, partitions: int) -> int:
    """As Kafka's default partitioner has it (contract.md#records)."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions


async def trace(config: Config, search: Search) -> list[Whereabouts]:
    """Every record that matches, for every destination that reads its topic."""
    every = config.destinations
    parts = [part for one in every for part in destinations_of(one, every)]
    topics = config.kafka.topics
    async with archive(config.kafka) as kafka:
        # Read commits first: then the letters of settled records are there when letters are read.
        commits = await commits_of(config, kafka, parts)
        records = await _records(config, kafka, search)
        ahead = await held_ahead(config, kafka, commits, records)
        wanted = Wanted((*_origins([*ahead, *records]), *search.sought.needles), search.since_ms)
        letters = await _find_in(kafka, topics.dead_letters, wanted)
        renames = await renames_of(kafka, topics)
        parked = await _find_in(kafka, topics.parked, wanted)
        records += await _expired(config, kafka, search.sought, [*letters, *parked], records)
    refused = [one for one in letters if one.header("destination") == EDGE]
    located = _locate_all(
        *(config, parts, [*ahead, *records], commits),
        _by_origin(letters, renames),
        _by_origin(parked),
    )
    found = [
        *_only_of(records, located),
        *(_refused(letter) for letter in refused if search.sought.matches(letter)),
    ]
    return _newest(found, search.limit)


def _newest(found: list[Whereabouts], limit: int | None) -> list[Whereabouts]:
    """Of the newest records all lines, in the order that they had."""
    if limit is None:
        return found
    times = {(one.topic, one.partition, one.offset): one.time for one in found}
    newest = set(sorted(times, key=lambda place: (times[place], place))[-limit:])
    return [one for one in found if (one.topic, one.partition, one.offset) in newest]


async def _records(config: Config, kafka: Archive, search: Search) -> list[Stored]:
    """The strings to search for."""
    topics = config.kafka.topics
    wanted = Wanted(search.sought.needles, search.since_ms)
    spans: list[Span] = []
    for topic in (topics.of(kind) for kind in Kind):
        partitions: list[int] | None = None
        match search.sought:
            case ByUser(user, everywhere=False):
                partitions = [partition_of(user, await kafka.partitions(topic))]
            case ByInsertId(insert_id) if place := _made_up(insert_id, topic):
                wanted = Wanted()  # The id is the record's place, and need not be in its bytes.
                spans = await _only(kafka, topic, *place)
                break
        spans += await kafka.spans(topic, since_ms=search.since_ms, partitions=partitions)
    return [one for one in await kafka.find(spans, wanted) if search.sought.matches(one)]


def _made_up(insert_id: str, topic: str) -> tuple[int, int] | None:
    """The partition and offset in it, if delivery made it from a record of this topic."""
    match insert_id.rsplit("/", 2):
        case [name, partition, offset] if name == topic:
            if partition.isdecimal() and offset.isdecimal() and len(partition + offset) < 30:
                return int(partition), int(offset)
    return None


async def _only(kafka: Archive, topic: str, partition: int, offset: int) -> list[Span]:
    """The record at that place, if there is one."""
    if partition >= await kafka.partitions(topic):
        return []
    (whole,) = await kafka.spans(topic, partitions=[partition])
    inside = whole.start <= offset < whole.end
    return [Span(topic, partition, offset, offset + 1)] if inside else []


async def _expired(
    config: Config,
    kafka: Archive,
    sought: Sought,
    traces: Sequence[Stored],
    records: Sequence[Stored],
) -> list[Stored]:
    """Records that only letters have: retention deleted them from their topic."""
    known = {record.origin for record in records}
    originals = [one for trace in traces if (one := original_of(trace)) is not None]
    found = {one.origin: one for one in originals if sought.matches(one)}
    topics = [config.kafka.topics.of(kind) for kind in Kind]
    gone: list[Stored] = []
    for one in found.values():
        if one.origin in known or one.topic not in topics:
            continue
        if one.partition >= await kafka.partitions(one.topic):
            continue
        (kept,) = await kafka.spans(one.topic, partitions=[one.partition])
        if one.offset < kept.start:
            gone.append(one)
    return gone


def _origins(records: Sequence[Stored]) -> set[bytes]:
    """Strings in all letters of these records: their origins, or a common prefix of many."""
    if len(records) <= NEEDLES_MAX:
        return {record.origin.encode() for record in records}
    return {f"{record.topic}/{record.partition}/".encode() for record in records}


async def _find_in(kafka: Archive, topic: str, wanted: Wanted) -> list[Stored]:
    return await kafka.find(await kafka.spans(topic, since_ms=wanted.since_ms), wanted)


def _by_origin(records: Sequence[Stored], renames: Renames = NONE) -> _ByOrigin:
    found: defaultdict[tuple[str | None, str | None], list[Stored]] = defaultdict(list)
    for record in records:
        found[record.header("origin"), renames.of(record)].append(record)
    return found


def _locate_all(
    config: Config,
    parts: Sequence[Destination],
    records: Sequence[Stored],
    commits: Commits,
    letters: _ByOrigin,
    parked: _ByOrigin,
) -> Iterator[Whereabouts]:
    held: dict[tuple[str, str, int, bytes | None], Whereabouts] = {}
    for record in records:
        for part in parts:
            if config.kafka.topics.of(part.kind) != record.topic:
                continue
            about = (record.origin, part.name)
            evidence = Evidence(
                commits.own[part.name, part.kind].get(record.partition),
                letters.get(about, ()),
                parked.get(about, ()),
                commits.parked[part.name, part.kind],
            )
            found = locate(record, part, evidence)
            line = (part.name, record.topic, record.partition, record.key)
            if found.state is State.WAITING:
                # The commit note has a user's first held record; later ones wait behind it.
                ahead = held.get(line)
                if ahead is not None and (found.until or "") < (ahead.until or ""):
                    found = replace(found, reason=ahead.reason, until=ahead.until)
                elif found.until is not None:
                    held[line] = found
            yield found


def _only_of(records: Sequence[Stored], located: Iterable[Whereabouts]) -> Iterator[Whereabouts]:
    meant = {(record.topic, record.partition, record.offset) for record in records}
    return (one for one in located if (one.topic, one.partition, one.offset) in meant)


def _refused(letter: Stored) -> Whereabouts:
    """Records that the edge refused: they are only in the dead letter topic."""
    return whereabouts(letter, EDGE, State.DEAD, letter.header("reason"))
