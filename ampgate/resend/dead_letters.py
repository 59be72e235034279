"""`ampgate dead-letters`: dead letters, and which of them were replayed.

Theory of operation: a replayed letter stays in its topic, and the record written for it names it in
the header `letter`. So Kafka shows which letters were replayed: after an interruption, the same
command continues, and none is sent twice. A delivery that crashed may have written a letter twice;
both have the same name.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ampgate.archive.archive import Archive, Span, archive
from ampgate.archive.batches import Wanted
from ampgate.cli.moments import write_moment
from ampgate.resend.parking import EDGE, letter_name, replayed_times
from ampgate.resend.renames import NONE, Renames, renames_of
from schemas.configuration.config import Config
from schemas.letters import TRUNCATED, Origin
from schemas.records import Stored
from schemas.topics import Kind, Topics

HOUR_MS = 3_600_000
Take = Callable[[Stored, str, bool], None]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters are selected; a condition that is absent matches all."""

    destination: str | None = None
    reason: str | None = None
    origin: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    renames: Renames = NONE

    @property
    def wanted(self) -> Wanted:
        strings: set[str] = set()
        if self.destination is not None:
            strings = self.renames.names(self.destination)
        elif self.reason is not None:
            strings = {self.reason}
        return Wanted([name.encode() for name in strings], self.since_ms, self.until_ms)

    def matches(self, letter: Stored) -> bool:
        return (
            self.destination in (None, letter.header("destination"), self.renames.of(letter))
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
    hours: Counter[int] = field(default_factory=Counter)  # How many, by the hour since 1970.


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter; its `origin` is what `show` and `replay --origin` take."""

    origin: str
    destination: str
    reason: str
    status: str | None
    detail: str | None
    time: str
    first_failed_at: str | None
    replayed: bool
    died_again: bool
    truncated: bool


async def each(config: Config, chosen: Filter, show: Callable[[Letter], None]) -> int:
    """Show the selected letters one by one, as they are found; returns how many there are."""
    count = 0

    def take(letter: Stored, destination: str, was_replayed: bool) -> None:
        nonlocal count
        show(as_letter(letter, destination, was_replayed))
        count += 1

    await search(config, chosen, take)
    return count


def as_letter(letter: Stored, destination: str, was_replayed: bool) -> Letter:
    return Letter(
        shown_origin(letter),
        destination,
        letter.header("reason") or "",
        letter.header("status"),
        letter.header("detail"),
        write_moment(letter.timestamp),
        letter.header("first_failed_at"),
        replayed=was_replayed,
        died_again=replayed_times(letter) > 0,
        truncated=letter.header(TRUNCATED) is not None,
    )


async def list_groups(config: Config, chosen: Filter) -> list[Group]:
    """The selected letters, by destination and reason; the largest group first."""
    groups: dict[tuple[str, str], Group] = {}
    await search(config, chosen, partial(add_to, groups))
    return sorted(groups.values(), key=lambda one: (-one.count, one.destination, one.reason))


async def search(config: Config, chosen: Filter, take: Take) -> None:
    """Take each selected letter, with its destination's name now and whether it was replayed."""
    topics = config.kafka.topics
    async with archive(config.kafka) as kafka:
        spans = await kafka.spans(topics.dead_letters, since_ms=chosen.since_ms)
        chosen = replace(chosen, renames=await renames_of(kafka, topics))
        replayed = await replayed_letters(kafka, topics, spans, chosen)

        async def take_all(letters: list[Stored]) -> None:
            for letter in filter(chosen.matches, letters):
                take(letter, chosen.renames.of(letter), letter_name(letter) in replayed)

        await kafka.search(spans, chosen.wanted, take_all)


def add_to(
    groups: dict[tuple[str, str], Group], letter: Stored, destination: str, was_replayed: bool
) -> None:
    """Count a letter in its group."""
    reason = letter.header("reason") or ""
    group = groups.setdefault((destination, reason), Group(destination, reason))
    moment = write_moment(letter.timestamp)
    group.count += 1
    group.hours[letter.timestamp // HOUR_MS] += 1
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
    topic, place = config.kafka.topics.dead_letters, Origin.parse(origin)
    async with archive(config.kafka) as kafka:
        if place is not None and place.place.topic == topic:
            letter = await kafka.at(topic, place.place.partition, place.offset)
            return [] if letter is None else [letter]
        spans, wanted = await kafka.spans(topic), Wanted([origin.encode()])
        found = await kafka.find(spans, wanted, Filter(origin=origin).matches)
    return sorted(found, key=lambda letter: letter.timestamp)


async def replayed_letters(
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
