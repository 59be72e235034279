"""The replays that Kafka has records of, whoever started them, and what became of these records."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ampgate.archive.archive import Archive, archive
from ampgate.archive.batches import Wanted
from ampgate.cli.moments import read_moment
from ampgate.resend.parking import EDGE
from ampgate.trace.commits import progress_in
from ampgate.trace.whereabouts import Progress
from schemas.configuration.config import Config
from schemas.letters import Origin
from schemas.records import Stored
from schemas.topics import Kind

Group = tuple[str, Kind]


@dataclass(slots=True)
class Run:
    """`at` names it, as `replayed_at` in its records; `settled` are delivered, skipped or dead."""

    at: str
    destination: str
    records: int = 0
    settled: int = 0
    dead: int = 0
    of_letters: bool = False

    @property
    def waiting(self) -> int:
        return self.records - self.settled


@dataclass(slots=True)
class _Found:
    """What is read of the parked topic, before the progress of the groups is asked for."""

    runs: dict[tuple[str, str], Run] = field(default_factory=dict)
    places: list[tuple[Run, Group, int, int]] = field(default_factory=list)


async def runs_of(config: Config, *, since_ms: int | None = None, at: str = "") -> list[Run]:
    """The newest first; only the one that `at` names, if it is given."""
    topics = config.kafka.topics
    found = _Found()
    kinds = {topics.of(kind): kind for kind in Kind}
    if at:
        since_ms = max(since_ms or 0, read_moment(at, 0))
    wanted = Wanted([(at or "replayed_at").encode()], since_ms)

    async def note(records: list[Stored]) -> None:
        for record in records:
            name, destination = record.header("replayed_at"), record.header("destination")
            origin = Origin.parse(record.header("origin") or "")
            if not name or not destination or origin is None or at not in ("", name):
                continue
            run = found.runs.setdefault((name, destination), Run(name, destination))
            run.records += 1
            run.of_letters |= record.header("letter") is not None
            if (kind := kinds.get(origin.place.topic)) is not None:
                group = (destination, kind)
                found.places.append((run, group, record.partition, record.offset))

    async def count(letters: list[Stored]) -> None:
        for letter in letters:
            key = (letter.header("replayed_at") or "", letter.header("destination") or "")
            if key in found.runs and key[1] != EDGE:
                found.runs[key].dead += 1

    async with archive(config.kafka) as kafka:
        await kafka.search(await kafka.spans(topics.parked, since_ms=since_ms), wanted, note)
        progress = await _progress(config, kafka, {group for _, group, *_ in found.places})
        for run, group, partition, offset in found.places:
            own = progress[group].get(partition)
            run.settled += own is not None and own.is_settled(offset)
        if found.runs:
            letters = await kafka.spans(topics.dead_letters, since_ms=since_ms)
            await kafka.search(letters, wanted, count)
    return sorted(found.runs.values(), key=lambda run: (run.at, run.destination), reverse=True)


async def _progress(
    config: Config, kafka: Archive, groups: set[Group]
) -> Mapping[Group, Mapping[int, Progress]]:
    topics = config.kafka.topics
    return {
        (name, kind): await progress_in(
            kafka, topics.group_id(name, kind), topics.parked, topics.parked
        )
        for name, kind in groups
    }
