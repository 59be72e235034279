"""`ampgate trace`: where is my event, per destination? Answered from Kafka alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ampgate.archive.archive import Archive, Span, archive
from ampgate.archive.batches import Wanted
from ampgate.archive.spellings import spellings
from ampgate.resend.parking import EDGE, letter_name
from ampgate.resend.renames import renames_of
from ampgate.trace.commits import commits_of, held_ahead
from ampgate.trace.locating import by_origin, locate_all, newest, only_of, refused_by_edge
from ampgate.trace.suppressed import suppressions_of
from ampgate.trace.whereabouts import (
    Whereabouts,
    identity_of,
    insert_id_as_sent,
    original_of,
)
from consumers.destinations import destinations_in
from consumers.transform_times import Timed
from schemas.configuration.config import Config
from schemas.kafka.partitioner import positive_hash
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


@dataclass(frozen=True, slots=True)
class ByPlace:
    """The one record there."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    @property
    def needles(self) -> tuple[bytes, ...]:
        return (str(self).encode(),)

    def matches(self, record: Stored) -> bool:
        place = (record.topic, record.partition, record.offset)
        return place == (self.topic, self.partition, self.offset)


Sought = ByUser | ByInsertId | ByPlace


@dataclass(frozen=True, slots=True)
class Search:
    """What to find, and from which time on."""

    sought: Sought
    since_ms: int | None = None
    limit: int | None = None  # Of these, the newest records.


def partition_of(key: str, partitions: int) -> int:
    """As Kafka's default partitioner has it (contract.md#records)."""
    return positive_hash(key.encode()) % partitions


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: the lines, and the records, letters and parked records behind them."""

    lines: Sequence[Whereabouts]
    records: Sequence[Stored]
    letters: Sequence[Stored]
    parked: Sequence[Stored]
    withheld: Sequence[Span] = ()  # What nobody can read yet, where these records would be.


async def trace(config: Config, search: Search) -> Sequence[Whereabouts]:
    """Every record that matches, for every destination that reads its topic."""
    return (await look(config, search)).lines


async def look(config: Config, search: Search) -> Found:
    """As `trace`, with the evidence."""
    parts = [part for one in config.destinations for part in destinations_in(config, one, Timed)]
    topics = config.kafka.topics
    async with archive(config.kafka) as kafka:
        # Read commits first: then the letters of settled records are there when letters are read.
        commits = await commits_of(config, kafka, parts)
        records, withheld = await _records(config, kafka, search)
        ahead = await held_ahead(config, kafka, commits, records)
        wanted = Wanted((*_origins([*ahead, *records]), *search.sought.needles), search.since_ms)
        known = frozenset(record.origin for record in [*ahead, *records])
        concerns = partial(_concerns, search.sought, known)
        letters = await _find_in(kafka, topics.dead_letters, wanted, concerns)
        suppressed = await suppressions_of(kafka, topics)
        renames = await renames_of(kafka, topics)
        parked = await _find_in(kafka, topics.parked, wanted, concerns)
        records += await _expired(config, kafka, search.sought, [*letters, *parked], records)
    # A letter that was replayed is told as the record that it became.
    gone = {record.header("letter") for record in records}
    refused = (one for one in letters if one.header("destination") == EDGE)
    located = locate_all(
        *(config, parts, [*ahead, *records], commits),
        by_origin(letters, renames),
        by_origin(parked, renames),
        suppressed,
    )
    sought = search.sought.matches
    found = [
        *only_of(records, located),
        *(refused_by_edge(one) for one in refused if letter_name(one) not in gone and sought(one)),
    ]
    return Found(newest(found, search.limit), records, letters, parked, withheld)


async def _records(
    config: Config, kafka: Archive, search: Search
) -> tuple[list[Stored], Sequence[Span]]:
    """The records in their own topics, and what is behind unfinished transactions there."""
    spans: list[Span] = []
    for topic in map(config.kafka.topics.of, Kind):
        partitions: list[int] | None = None
        match search.sought:
            case ByUser(user, everywhere=False):
                partitions = [partition_of(user, await kafka.partitions(topic))]
            case ByPlace(name, partition, offset):
                if name == topic:
                    return await _only(kafka, search.sought, topic, partition, offset), ()
                continue
            case ByInsertId(insert_id) if place := _made_up(insert_id, topic):
                # The id is the record's place, and need not be in its bytes.
                return await _only(kafka, search.sought, topic, *place), ()
        spans += await kafka.spans(topic, since_ms=search.since_ms, partitions=partitions)
    return await _newest_of(kafka, spans, search), await kafka.withheld(spans)


async def _newest_of(kafka: Archive, spans: Sequence[Span], search: Search) -> list[Stored]:
    """Those that match, or the newest of them: a user may have millions."""
    found: list[Stored] = []

    async def keep(records: list[Stored]) -> None:
        found.extend(filter(search.sought.matches, records))
        if search.limit is not None and len(found) > 2 * search.limit:
            found.sort(key=_age)
            del found[: -search.limit]

    wanted = Wanted(search.sought.needles, search.since_ms)
    await kafka.search(spans, wanted, keep)
    return sorted(found, key=lambda one: (one.topic, one.partition, one.offset))


def _age(record: Stored) -> tuple[int, str, int, int]:
    """As `newest` orders them."""
    return record.timestamp, record.topic, record.partition, record.offset


def _made_up(insert_id: str, topic: str) -> tuple[int, int] | None:
    """The partition and offset in it, if delivery made it from a record of this topic."""
    match insert_id.rsplit("/", 2):
        case [name, partition, offset] if name == topic:
            if partition.isdecimal() and offset.isdecimal() and len(partition + offset) < 30:
                return int(partition), int(offset)
    return None


async def _only(
    kafka: Archive, sought: Sought, topic: str, partition: int, offset: int
) -> list[Stored]:
    """The record at that place, if it is the one."""
    found = await kafka.at(topic, partition, offset)
    return [found] if found is not None and sought.matches(found) else []


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
    missing = [one for one in found.values() if one.origin not in known and one.topic in topics]
    starts = {
        (span.topic, span.partition): span.start
        for topic in {one.topic for one in missing}
        for span in await kafka.spans(topic)
    }
    return [one for one in missing if one.offset < starts.get((one.topic, one.partition), 0)]


def _origins(records: Sequence[Stored]) -> set[bytes]:
    """Strings in all letters of these records: their origins, or a common prefix of many."""
    if len(records) <= NEEDLES_MAX:
        return {record.origin.encode() for record in records}
    return {f"{record.topic}/{record.partition}/".encode() for record in records}


def _concerns(sought: Sought, known: frozenset[str], trace: Stored) -> bool:
    """Whether a letter or a parked record is of a record that was found, or of one that is gone."""
    if trace.header("origin") in known or sought.matches(trace):
        return True
    original = original_of(trace)
    return original is not None and sought.matches(original)


async def _find_in(
    kafka: Archive, topic: str, wanted: Wanted, matches: Callable[[Stored], bool]
) -> list[Stored]:
    return await kafka.find(await kafka.spans(topic, since_ms=wanted.since_ms), wanted, matches)
