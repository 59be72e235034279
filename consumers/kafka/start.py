"""Where a group begins to read a partition without a committed offset."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

import structlog
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.structs import OffsetAndMetadata

from consumers.delivery.moved import Ends
from consumers.delivery.offsets import Unfinished
from consumers.kafka.commit_notes import CommitNote, decoded, encoded
from schemas.kafka.fetching.fetch import Consumer

Start = Literal["earliest", "latest"] | datetime
log = structlog.get_logger()


async def began(consumer: Consumer, topic: str, parked_topic: str | None, start: Start) -> None:
    """Commit where reading begins, for each of our partitions without an offset.

    It is committed before anything is read, so a crash at any moment is safe. The group's first
    member commits it for all partitions of the topic; so a partition without an offset was added
    later. That is read from its beginning, but after what the others have by now
    (consumers/delivery/moved.py). What Kafka has deleted of it by then is lost, and counted so: it
    began at 0. So is a topic made anew: Kafka has forgotten its offsets, and no parked ones.

    Raises while we may not see the parked topic: a later record of a parked key would be delivered
    first.
    """
    if parked_topic is not None and consumer.is_hidden(parked_topic):
        raise TopicAuthorizationFailedError(parked_topic)
    ours = consumer.assignment()
    numbers = consumer.partitions_for_topic(topic) or ()
    places = {*ours, *(KafkaPartition(topic, number) for number in numbers)}
    committed = await consumer.all_committed(places)
    is_new = not committed
    missing = [place for place in (places if is_new else ours) if place not in committed]
    if not ours.intersection(missing):
        return
    at = "earliest" if start == "latest" and not is_new else start
    added = [] if is_new else [place for place in missing if place.topic == topic]
    sure = frozenset(_surely_added(added, committed) if at == "earliest" else ())
    asked = [place for place in missing if place not in sure]
    offsets: dict[KafkaPartition, int] = {
        **dict.fromkeys(sure, 0),
        **await _offsets(consumer, [one for one in asked if one.topic == topic], at),
        **await _offsets(consumer, [one for one in asked if one.topic != topic], "earliest"),
    }
    after = await _ends(consumer, topic, committed) if added else {}
    own = {
        place: (offset, _note(offset, after if place in added else {}, len(numbers)))
        for place, offset in offsets.items()
        if place.topic == topic
    }
    # Kafka may refuse those of one topic and take the others: with the parked topic's alone, the
    # group would not be new any more, and its topic one that was made anew.
    await consumer.commit_for_all(own)
    await consumer.commit_for_all(
        {place: (offset, "") for place, offset in offsets.items() if place not in own}
    )
    log.info(
        "no offset was committed, reading begins",
        topics=[topic, parked_topic],
        is_new_group=is_new,
        start=str(at),
        offsets={f"{place.topic}/{place.partition}": at for place, at in offsets.items()},
    )


def _surely_added(
    added: Sequence[KafkaPartition], committed: Mapping[KafkaPartition, OffsetAndMetadata]
) -> Iterable[KafkaPartition]:
    """Those that were not there before, as the commits of the others say.

    Another one lost its offset: what was deleted of it may have been delivered.
    """
    notes = [decoded(one.metadata or "", one.offset) for one in committed.values()]
    before = min((note.partitions for note in notes if note and note.partitions), default=None)
    return [place for place in added if before is not None and place.partition >= before]


async def _ends(consumer: Consumer, topic: str, committed: Collection[KafkaPartition]) -> Ends:
    """The ends of the partitions that were read before."""
    found = await consumer.end_offsets([place for place in committed if place.topic == topic])
    return {place.partition: end for place, end in found.items()}


def _note(offset: int, after: Ends, partitions: int) -> str:
    left = Unfinished(offset, ())
    note = encoded(CommitNote(left, None, {}, partitions=partitions, after=after), offset)
    told = decoded(note, offset)
    if told is None or told.after != after:
        log.warning("commit note is too large for an added partition, reading it at once")
    return note


async def _offsets(
    consumer: Consumer, places: Collection[KafkaPartition], start: Start
) -> Mapping[KafkaPartition, int]:
    if not places:
        return {}
    found: Mapping[KafkaPartition, int]
    match start:
        case "earliest":
            found = await consumer.beginning_offsets(places)
        case "latest":
            found = await consumer.end_offsets(places)
        case datetime():
            milliseconds = int(start.timestamp() * 1000)
            ends = await consumer.end_offsets(places)
            later = await consumer.offsets_for_times(dict.fromkeys(places, milliseconds))
            found = {
                place: end if (first := later.get(place)) is None else first.offset
                for place, end in ends.items()
            }
    return found
