"""The notes beside the offsets that a group committed, and the longer ones among the parked.

A commit has room for some thousand ranges. If the settled offsets have more, the whole note is a
record in the parked topic, in the partition of the same number, without a destination; the commit
holds its offset.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from consumers.kafka.commit_notes import CommitNote, decoded
from schemas.kafka.fetching.fetch import Consumer
from schemas.kafka.fetching.fetched import UnreadableError
from schemas.kafka.fetching.taken import Taken
from schemas.records import TopicPartition

NOTE_BYTES_MAX = 20_000_000  # The limit of a topic (`ampgate topics create`).
KEPT_SECONDS = 5.0  # To store or read a longer note.
POLL_MILLISECONDS = 200
log = structlog.get_logger()


class Committed(NamedTuple):
    """What a group committed of a partition; nothing yet if the offset is below 0."""

    offset: int
    note: CommitNote | None

    def within(self, end: int) -> "Committed":
        """Without a note that knows of more than there is: others get the offsets of lost records.

        `end` is the end of the partition's log.
        """
        is_cut = self.note is not None and self.note.left.read_to > end
        return Committed(self.offset, None) if is_cut else self


class Notes:
    """The notes of a group's members for each other."""

    def __init__(self, client: Mapping[str, Any], group_id: str, parked_topic: str | None) -> None:
        self._client = client
        self.group_id = group_id
        self.parked_topic = parked_topic

    async def read(self, places: Collection[KafkaPartition]) -> dict[TopicPartition, Committed]:
        """What former owners committed, of each of these partitions; else raises `KafkaError`."""
        admin = AIOKafkaAdminClient(**self._client)
        try:
            await admin.start()
            found = await admin.list_consumer_group_offsets(self.group_id, partitions=list(places))
        finally:
            await admin.close()
        # aiokafka ignores the error of the whole answer, which then has no partition.
        if len(found) < len(places):
            raise KafkaError("the offsets of the group cannot be read")
        return {
            TopicPartition(*place): await self._committed(
                place.partition, one.offset, decoded(one.metadata or "", one.offset)
            )
            for place, one in found.items()
        }

    async def keep(self, partition: int, text: str) -> int | None:
        """Store a note that is too long for a commit; returns its offset, None if that failed."""
        if self.parked_topic is None:
            return None
        # Without compression, which some clusters refuse: the note is deflated already.
        producer = AIOKafkaProducer(**self._client, acks="all", max_request_size=NOTE_BYTES_MAX)
        try:
            async with producer, asyncio.timeout(KEPT_SECONDS):
                stored = await producer.send_and_wait(
                    self.parked_topic, text.encode(), partition=partition
                )
        except (KafkaError, TimeoutError) as error:
            log.warning("commit note could not be stored", partition=partition, error=repr(error))
            return None
        offset: int = stored.offset
        return offset

    async def _committed(self, partition: int, offset: int, note: CommitNote | None) -> Committed:
        if note is not None and note.kept is not None and self.parked_topic is not None:
            place = KafkaPartition(self.parked_topic, partition)
            note = await self._kept(place, note.kept, offset) or note
        return Committed(offset, note)

    async def _kept(self, place: KafkaPartition, at: int, committed: int) -> CommitNote | None:
        """The note stored at this offset; None if there is none, or none that can be read."""
        consumer = Consumer(**self._client, enable_auto_commit=False, auto_offset_reset="none")
        async with consumer, asyncio.timeout(KEPT_SECONDS):
            begins = await consumer.beginning_offsets([place])
            ends = await consumer.end_offsets([place])
            if not begins[place] <= at < ends[place]:
                return None
            consumer.assign([place])
            consumer.seek(place, at)
            taken = await _next(consumer, place)
        for record in (record for part in taken.records for record in part):
            if record.offset == at:
                return decoded((record.value or b"").decode(errors="replace"), committed)
        return None


async def _next(consumer: Consumer, place: KafkaPartition) -> Taken:
    """The next record; none where it cannot be parsed, or is the end of a transaction."""
    while True:
        taken = await consumer.take(
            [place], timeout_ms=POLL_MILLISECONDS, records_max=1, bytes_max=NOTE_BYTES_MAX
        )
        error = taken.errors.get(place)
        if error is not None and not isinstance(error, UnreadableError):
            raise error
        if taken.records or taken.positions or error is not None:
            return taken
