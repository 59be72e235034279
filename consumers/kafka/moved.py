"""Looks in other partitions for older records of keys that moved (consumers/delivery/moved.py)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import KafkaError

from consumers.delivery.moved import Moved, ParkedKeys, Settled
from consumers.delivery.parking import unparked
from consumers.kafka.notes import Committed, Notes
from schemas.cancellation import heeding
from schemas.configuration.config import Kafka
from schemas.kafka.client import started
from schemas.kafka.fetching.fetch import Consumer
from schemas.kafka.fetching.patience import Patience
from schemas.kafka.login import client_arguments
from schemas.kafka.partitioner import positive_hash
from schemas.records import Record, TopicPartition

LOOK_SECONDS = 1.0
SCAN_SECONDS = 60.0  # Time to read the parked records of other partitions.
POLL_MILLISECONDS = 200
READ_RECORDS_MAX = 4000
READ_BYTES_MAX = 4_000_000
log = structlog.get_logger()


class Elsewhere:
    """What a group has settled and parked, in partitions of other members, too."""

    def __init__(
        self,
        kafka: Kafka,
        destination: str,
        topic: str,
        notes: Notes,
        numbers: Callable[[str], Collection[int]],  # By partition of a topic.
        moved: Moved,
    ) -> None:
        self._kafka = kafka
        self._destination = destination
        self._topic = topic
        self._parked_topic = notes.parked_topic
        self._notes = notes
        self._numbers = numbers
        self._moved = moved

    async def look_often(self) -> None:
        """Run while an added partition of ours waits; retry after an error."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._moved:
                try:
                    async with asyncio.timeout(SCAN_SECONDS):
                        await self._look()
                except (KafkaError, OSError, TimeoutError) as error:
                    log.warning(
                        "progress of other partitions cannot be read, retrying", error=repr(error)
                    )

    async def _look(self) -> None:
        moved = self._moved
        for number in moved.passed(await self._settled(self._topic, moved.others)):
            moved.found(number, await self._parked(number))
        if self._parked_topic is not None:
            moved.settled(await self._settled(self._parked_topic, moved.parked))

    async def _settled(self, topic: str, numbers: Collection[int]) -> dict[int, Settled]:
        places = [KafkaPartition(topic, number) for number in numbers]
        found = await self._notes.read(places) if places else {}
        return {
            place.partition: Settled(one.offset, one.note.left if one.note else None)
            for place, one in found.items()
        }

    async def _parked(self, number: int) -> ParkedKeys:
        """Records parked in other partitions, not settled, whose keys are in this partition now."""
        topic, found = self._parked_topic, ParkedKeys()
        numbers = [] if topic is None else [n for n in self._numbers(topic) if n != number]
        if topic is None or not numbers:
            return found
        settled, count = await self._settled(topic, numbers), len(self._numbers(self._topic))
        async with _reading(self._kafka) as consumer:
            for other in numbers:
                place, keys = KafkaPartition(topic, other), dict[int, str]()
                async for record in unread(consumer, place, settled[other].committed):
                    key = self._key_in(record, number, count)
                    if key is not None and not settled[other].has(record.offset):
                        keys[record.offset] = key
                if keys:
                    found[other] = keys
        return found

    def _key_in(self, record: Record, number: int, count: int) -> str | None:
        """The record's key, if it is for our destination and its key is in this partition now."""
        original, letter = unparked(record)
        is_ours = letter.destination == self._destination and original.topic == self._topic
        if not is_ours or original.key is None or positive_hash(original.key) % count != number:
            return None
        return original.key.decode(errors="replace")


async def divided_anew(
    consumer: Consumer, topic: str, committed: Mapping[TopicPartition, Committed], count: int
) -> dict[TopicPartition, Committed]:
    """Partitions to which keys of others moved, as their number was not multiplied; each with what
    is to be settled in the others first: all that these have by now.
    """
    notes = {
        place: one.note
        for place, one in committed.items()
        if place.topic == topic and one.note is not None and one.note.partitions is not None
    }
    former = {
        place: number
        for place, note in notes.items()
        if (number := note.partitions) and number < count and count % number
    }
    if not former:
        return {}
    numbers = range(max(former.values()))
    ends = await consumer.end_offsets([KafkaPartition(topic, number) for number in numbers])
    found = {}
    for place, noted in former.items():
        others = [at for at in ends if at.partition < noted and at.partition != place.partition]
        note = replace(notes[place], after={at.partition: ends[at] for at in others})
        found[place] = Committed(committed[place].offset, note)
    return found


def moved_to(number: int, count: int, former: int) -> Callable[[str], bool]:
    """Whether a key is in this partition now, and was not before."""

    def has_moved(key: str) -> bool:
        hashed = positive_hash(key.encode())
        return hashed % count == number != hashed % former

    return has_moved


@asynccontextmanager
async def _reading(kafka: Kafka) -> AsyncIterator[Consumer]:
    consumer = Consumer(
        **client_arguments(kafka),
        auto_offset_reset="none",
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    try:
        await started(consumer)
        yield consumer
    finally:
        await heeding(consumer.stop())


async def unread(
    consumer: Consumer, place: KafkaPartition, committed: int
) -> AsyncIterator[Record]:
    """Read from the committed offset, or from the log's beginning, to its end now."""
    begins = (await consumer.beginning_offsets([place]))[place]
    end = (await consumer.end_offsets([place]))[place]
    start = max(committed, begins)
    if start >= end:
        return
    consumer.assign([place])
    consumer.seek(place, start)
    # To the end offset, not to the last record: the last offsets may be transaction markers.
    patience = Patience()
    while await consumer.position(place) < end:
        taken = patience.of(
            await consumer.take(
                [place],
                timeout_ms=POLL_MILLISECONDS,
                records_max=READ_RECORDS_MAX,
                bytes_max=READ_BYTES_MAX,
            )
        )
        for _, error in taken.other_errors(consumer.believe):
            raise error
        for record in (record for part in taken.records for record in part):
            yield record
