"""The notes beside the offsets that a group committed, and the longer ones among the parked.

A commit has room for some thousand ranges. What a former owner settled may be scattered over more;
then the whole note is a record of the topic of the parked, in the partition of the same number,
that names no destination. The commit tells its offset.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from consumers.kafka.commit_notes import CommitNote, decoded
from schemas.records import TopicPartition

NOTE_BYTES_MAX = 20_000_000  # What a topic takes (`ampgate topics create`).
KEPT_SECONDS = 5.0  # To store or read a longer note.
log = structlog.get_logger()


class Committed(NamedTuple):
    """What a group has committed of a partition; nothing yet below 0."""

    offset: int
    note: CommitNote | None


class Notes:
    """What a group's members leave to each other."""

    def __init__(self, client: Mapping[str, Any], group_id: str, parked_topic: str | None) -> None:
        self._client = client
        self._group_id = group_id
        self.parked_topic = parked_topic

    async def read(self, places: Collection[KafkaPartition]) -> dict[TopicPartition, Committed]:
        """What former owners of these partitions committed, of all of them, or `KafkaError`."""
        admin = AIOKafkaAdminClient(**self._client)
        try:
            await admin.start()
            found = await admin.list_consumer_group_offsets(self._group_id, partitions=list(places))
        finally:
            await admin.close()
        # aiokafka does not look at the error of the whole answer; it then tells of no partition.
        if len(found) < len(places):
            raise KafkaError("the offsets of the group cannot be read")
        return {
            TopicPartition(*place): await self._committed(
                place.partition, one.offset, decoded(one.metadata or "", one.offset)
            )
            for place, one in found.items()
        }

    async def keep(self, partition: int, text: str) -> int | None:
        """Store a note that is too long for a commit; returns its offset, if that was possible."""
        if self.parked_topic is None:
            return None
        producer = AIOKafkaProducer(
            **self._client, acks="all", max_request_size=NOTE_BYTES_MAX, compression_type="gzip"
        )
        try:
            async with producer, asyncio.timeout(KEPT_SECONDS):
                stored = await producer.send_and_wait(
                    self.parked_topic, text.encode(), partition=partition
                )
        except (KafkaError, TimeoutError) as error:
            log.warning("a note could not be kept", partition=partition, error=repr(error))
            return None
        offset: int = stored.offset
        return offset

    async def _committed(self, partition: int, offset: int, note: CommitNote | None) -> Committed:
        if note is not None and note.kept is not None and self.parked_topic is not None:
            place = KafkaPartition(self.parked_topic, partition)
            note = await self._kept(place, note.kept, offset) or note
        return Committed(offset, note)

    async def _kept(self, place: KafkaPartition, at: int, committed: int) -> CommitNote | None:
        """The note that was stored there; None where Kafka has deleted it."""
        consumer = AIOKafkaConsumer(**self._client, enable_auto_commit=False)
        consumer.assign([place])
        async with consumer, asyncio.timeout(KEPT_SECONDS):
            begins = await consumer.beginning_offsets([place])
            ends = await consumer.end_offsets([place])
            if not begins[place] <= at < ends[place]:
                return None
            consumer.seek(place, at)
            record = await consumer.getone()
        if record.offset != at:
            return None
        return decoded((record.value or b"").decode(errors="replace"), committed)
