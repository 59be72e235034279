"""The progress of every destination in every topic, and the keys that its commit notes hold."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ampgate.archive.archive import Archive, Committed, Span
from ampgate.archive.batches import Wanted
from ampgate.trace.whereabouts import Progress
from consumers.delivery.destination import Destination
from consumers.kafka.commit_notes import CommitNote, decoded
from schemas.configuration.config import Config
from schemas.records import Stored, TopicPartition
from schemas.topics import Kind


@dataclass(frozen=True, slots=True)
class Commits:
    """By destination and kind, then by partition."""

    own: Mapping[tuple[str, Kind], Mapping[int, Progress]]
    parked: Mapping[tuple[str, Kind], Mapping[int, Progress]]


async def commits_of(config: Config, kafka: Archive, parts: Sequence[Destination]) -> Commits:
    """A group reads its topic, and its records in the parked topic."""
    topics = config.kafka.topics
    groups = [topics.group_id(part.name, part.kind) for part in parts]
    own = [
        progress_in(kafka, group_id, topics.of(part.kind), topics.parked)
        for group_id, part in zip(groups, parts, strict=True)
    ]
    parked = [progress_in(kafka, group_id, topics.parked, topics.parked) for group_id in groups]
    found = await asyncio.gather(*own, *parked)
    members = await asyncio.gather(*map(kafka.members, groups))
    places = [(part.name, part.kind) for part in parts]
    read = [
        {number: replace(one, is_read=count > 0) for number, one in progress.items()}
        for count, progress in zip(members, found[: len(parts)], strict=True)
    ]
    return Commits(
        dict(zip(places, read, strict=True)),
        dict(zip(places, found[len(parts) :], strict=True)),
    )


async def progress_in(
    kafka: Archive, group_id: str, topic: str, parked_topic: str
) -> Mapping[int, Progress]:
    """A group's progress, by partition."""
    found = await kafka.committed(group_id, topic)
    return {
        number: Progress(
            one.offset, await whole_note(kafka, TopicPartition(parked_topic, number), one)
        )
        for number, one in found.items()
    }


async def whole_note(
    kafka: Archive, parked: TopicPartition, committed: Committed
) -> CommitNote | None:
    """The note of a commit, or the longer one that it names (consumers/kafka/commit_notes.py)."""
    note = decoded(committed.metadata, committed.offset)
    if note is None or note.kept is None:
        return note
    (span,) = await kafka.spans(parked.topic, partitions=[parked.partition])
    if not span.start <= note.kept < span.end:
        return note  # Kafka has deleted the longer one.
    stored = await kafka.find([replace(span, start=note.kept, end=note.kept + 1)], Wanted())
    texts = [(one.value or b"").decode(errors="replace") for one in stored]
    return next((decoded(text, committed.offset) for text in texts), None) or note


async def held_ahead(
    config: Config, kafka: Archive, commits: Commits, records: Sequence[Stored]
) -> list[Stored]:
    """What these records wait behind: a commit note has only a user's first held record."""
    known = {record.origin for record in records}
    holds = _holds(config, commits)
    found: list[Stored] = []
    for topic, partition in {(one.topic, one.partition) for one in records}:
        here = [one for one in records if (one.topic, one.partition) == (topic, partition)]
        last = max(one.offset for one in here)
        keys = {one.key for one in here if one.key is not None}
        earlier = [offset for offset in holds.get((topic, partition), ()) if offset < last]
        if not earlier or not keys:
            continue
        (whole,) = await kafka.spans(topic, partitions=[partition])
        span = Span(topic, partition, max(whole.start, min(earlier)), max(earlier) + 1)
        found += await kafka.find(
            [span], Wanted(tuple(keys)), partial(_is_held, keys=keys, offsets=frozenset(earlier))
        )
    return [one for one in found if one.origin not in known]


def _is_held(record: Stored, *, keys: Collection[bytes], offsets: Collection[int]) -> bool:
    return record.key in keys and record.offset in offsets


def _holds(config: Config, commits: Commits) -> Mapping[tuple[str, int], set[int]]:
    """The offsets held by any destination, by topic and partition."""
    together: dict[tuple[str, int], set[int]] = {}
    for (_, kind), progress in commits.own.items():
        for partition, one in progress.items():
            place = (config.kafka.topics.of(kind), partition)
            together.setdefault(place, set()).update(one.held)
    return together
