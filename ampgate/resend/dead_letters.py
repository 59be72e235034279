"""`ampgate dead-letters`: dead letters, their reasons, and their replay.

Theory of operation: a replayed letter stays in its topic, and the record written for it names it in
the header `letter`. So Kafka shows which letters were replayed: after an interruption, the same
command continues, and none is sent twice. A delivery that crashed may have written a letter twice;
both have the same name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ampgate.archive.archive import Archive, Span, archive
from ampgate.archive.batches import Wanted
from ampgate.cli.moments import write_moment
from ampgate.resend.parking import EDGE, Outgoing, Run, letter_name, replayed_times
from ampgate.resend.writer import Writer
from schemas.configuration.config import Config
from schemas.events import read_event, read_group_identification, read_identification
from schemas.letters import TRUNCATED, LetterHeaders
from schemas.records import Stored
from schemas.strictness import Defect
from schemas.topics import Kind, Topics

REPLAYS_MAX = 3


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are selected; a condition that is absent matches all."""

    destination: str | None = None
    reason: str | None = None
    origin: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def wanted(self) -> Wanted:
        needles = (name for name in (self.destination, self.reason) if name is not None)
        strings = [name.encode() for name in needles]
        return Wanted(strings[:1], self.since_ms, self.until_ms)

    def matches(self, letter: Stored) -> bool:
        return (
            self.destination in (None, letter.header("destination"))
            and self.reason in (None, letter.header("reason"))
            and self.origin in (None, letter.header("origin"), letter.origin)
        )


@dataclass(slots=True)
class Group:
    """The letters of one destination and reason."""

    destination: str
    reason: str
    count: int = 0
    first: str = ""
    last: str = ""
    sample_origin: str = ""
    died_again: int = 0
    replayed: int = 0
    truncated: int = 0


class Fate(StrEnum):
    """What a replay does with a letter."""

    SEND = "to be sent"
    REPLAYED = "replayed already"
    COPY = "a copy of another letter"
    LOOPING = "died again too often: --force sends it all the same"
    UNKNOWN = "its destination is not configured: nobody would deliver it"
    REFUSED = "the edge would refuse it again"
    TRUNCATED = (
        "cut to fit its topic, so it is not whole: `ampgate replay` sends the record of its origin"
    )


HOPELESS = frozenset({Fate.REFUSED, Fate.UNKNOWN, Fate.TRUNCATED})


@dataclass(slots=True)
class Plan:
    """What a replay would do: counts of letters, by destination or by the reason to skip them."""

    to_send: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.to_send.values())

    @property
    def failed(self) -> bool:
        """Whether none of the selected letters can be sent."""
        return not self.total and bool(HOPELESS & set(self.left))


async def list_groups(config: Config, chosen: Filter) -> list[Group]:
    """The selected letters, by destination and reason; the largest group first."""
    topics = config.kafka.topics
    groups: dict[tuple[str, str], Group] = {}
    async with archive(config.kafka) as kafka:
        spans = await kafka.spans(topics.dead_letters, since_ms=chosen.since_ms)
        replayed = await _replayed(kafka, topics, spans, chosen)

        async def add(letters: list[Stored]) -> None:
            for letter in filter(chosen.matches, letters):
                _add(groups, letter, was_replayed=letter_name(letter) in replayed)

        await kafka.search(spans, chosen.wanted, add)
    return sorted(groups.values(), key=lambda one: (-one.count, one.destination, one.reason))


def _add(groups: dict[tuple[str, str], Group], letter: Stored, *, was_replayed: bool) -> None:
    destination, reason = letter.header("destination") or "", letter.header("reason") or ""
    group = groups.setdefault((destination, reason), Group(destination, reason))
    moment = write_moment(letter.timestamp)
    group.count += 1
    group.first = min(group.first or moment, moment)
    if moment >= group.last:
        group.last = moment
        group.sample_origin = shown_origin(letter)
    group.died_again += replayed_times(letter) > 0
    group.replayed += was_replayed
    group.truncated += letter.header(TRUNCATED) is not None


def shown_origin(letter: Stored) -> str:
    """The argument of `show`: the letter's origin, or its own place if it has no origin."""
    origin = letter.header("origin")
    return letter.origin if origin in (None, EDGE) else origin


async def show(config: Config, origin: str) -> list[Stored]:
    """All letters of one origin, the oldest first."""
    topic = config.kafka.topics.dead_letters
    chosen = Filter(origin=origin)
    own_place = origin.startswith(f"{topic}/")
    wanted = Wanted() if own_place else Wanted([origin.encode()])
    async with archive(config.kafka) as kafka:
        found = await kafka.find(await kafka.spans(topic), wanted)
    return sorted(filter(chosen.matches, found), key=lambda letter: letter.timestamp)


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay of dead letters, planned from what Kafka has at that moment."""

    config: Config
    chosen: Filter
    spans: Sequence[Span]
    replayed: frozenset[str]
    force: bool

    def fate(self, letter: Stored, seen: set[str]) -> Fate:
        """The action for a letter; `seen` are the names of the letters before it."""
        destination, name = letter.header("destination"), letter_name(letter)
        if name in self.replayed:
            return Fate.REPLAYED
        if name in seen:
            return Fate.COPY
        seen.add(name)
        if letter.header(TRUNCATED) is not None:
            return Fate.TRUNCATED
        if replayed_times(letter) >= REPLAYS_MAX and not self.force:
            return Fate.LOOPING
        if destination == EDGE:
            return Fate.REFUSED if admitted_as(letter.value) is None else Fate.SEND
        known = {one.name for one in self.config.destinations}
        origin = LetterHeaders.decoded(letter.headers).origin
        return Fate.UNKNOWN if destination not in known or origin is None else Fate.SEND

    def outgoing(self, letter: Stored, run: Run) -> Outgoing:
        """What is written for it."""
        kind = admitted_as(letter.value)
        if letter.header("destination") == EDGE and kind is not None:
            return run.admitted(letter, self.config.kafka.topics.of(kind))
        return run.revived(letter)

    async def plan(self, kafka: Archive) -> Plan:
        plan, seen = Plan(), set[str]()

        async def count(letters: list[Stored]) -> None:
            for letter in filter(self.chosen.matches, letters):
                match self.fate(letter, seen):
                    case Fate.SEND:
                        destination = letter.header("destination") or ""
                        plan.to_send[destination] = plan.to_send.get(destination, 0) + 1
                    case fate:
                        plan.left[fate] = plan.left.get(fate, 0) + 1

        await kafka.search(self.spans, self.chosen.wanted, count)
        return plan

    async def send(self, kafka: Archive, run: Run, writer: Writer) -> None:
        seen = set[str]()

        async def write(letters: list[Stored]) -> None:
            await writer.write(
                [
                    self.outgoing(letter, run)
                    for letter in filter(self.chosen.matches, letters)
                    if self.fate(letter, seen) is Fate.SEND
                ]
            )

        await kafka.search(self.spans, self.chosen.wanted, write)


async def prepare(config: Config, kafka: Archive, chosen: Filter, *, force: bool) -> Replay:
    topics = config.kafka.topics
    await kafka.require_co_partitions(topics)
    spans = await kafka.spans(topics.dead_letters, since_ms=chosen.since_ms)
    replayed = await _replayed(kafka, topics, spans, chosen)
    return Replay(config, chosen, spans, frozenset(replayed), force)


def admitted_as(value: bytes | None) -> Kind | None:
    """The kind of record that the edge would take it for now."""
    if value is None:
        return None
    if not isinstance(read_event(value), Defect):
        return Kind.EVENT
    if not isinstance(read_identification(value), Defect):
        return Kind.USER_PROPERTIES
    if not isinstance(read_group_identification(value), Defect):
        return Kind.GROUP_PROPERTIES
    return None


async def _replayed(
    kafka: Archive, topics: Topics, letters: Sequence[Span], chosen: Filter
) -> set[str]:
    """The names of all letters for which something was written before."""
    names: set[str] = set()
    refused_since: list[int] = []

    async def note(records: list[Stored]) -> None:
        names.update(name for record in records if (name := record.header("letter")))

    async def date(records: list[Stored]) -> None:
        refused = [one.timestamp for one in records if one.header("destination") == EDGE]
        refused_since[:] = [min(refused_since + refused)] if refused else refused_since

    parked = await kafka.spans(topics.parked, since_ms=chosen.since_ms)
    await kafka.search(parked, Wanted([b"letter"], chosen.since_ms), note)
    if chosen.destination in (None, EDGE):
        await kafka.search(letters, Wanted([EDGE.encode()], chosen.since_ms), date)
    # Only letters of the edge go back to the large topics: else these are not read.
    for topic in (topics.of(kind) for kind in Kind) if refused_since else ():
        spans = await kafka.spans(topic, since_ms=refused_since[0])
        await kafka.search(spans, Wanted([f"{topics.dead_letters}/".encode()]), note)
    return names
