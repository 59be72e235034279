"""`ampgate destinations rename`: a destination continues under another name.

Theory of operation: each topic takes one transaction of Kafka's: the offsets under the new name,
and the parked records once more with the new name. A note beside the new offsets marks it; then the
old name is forgotten. After an interruption, run it again: it continues with the rest.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from ampgate.archive.archive import Archive
from ampgate.archive.batches import Wanted
from ampgate.cli.configuration import client_arguments
from ampgate.destinations.left_behind import Survey, addressed
from ampgate.errors import CommandError
from ampgate.resend import renames
from ampgate.resend.parking import Outgoing
from ampgate.topic_plan import MAX_MESSAGE_BYTES
from schemas.configuration.config import Config, Kafka
from schemas.letters import writable
from schemas.records import Stored
from schemas.topics import Kind

FLIGHT_MAX = 500  # Records on their way to Kafka before we wait for its acknowledgements.
TRANSACTION_SECONDS = 600  # A broker allows 900 (`transaction.max.timeout.ms`).


class Rename:
    """From `old` to `new`, as far as it has not been done."""

    def __init__(self, config: Config, survey: Survey, old: str, new: str) -> None:
        self._topics = config.kafka.topics
        self._survey = survey
        self._old = old
        self._new = new
        self._moved = f"renamed from {old}"  # Beside the offsets in the parked topic.
        self.kinds = [kind for kind in Kind if self._is_to_be_moved(kind)]

    @property
    def parked(self) -> int:
        """How many parked records get the new name."""
        return sum(self._survey.parked_of(self._old, kind).waiting for kind in self.kinds)

    def _is_to_be_moved(self, kind: Kind) -> bool:
        before, after = self._survey.place(self._old, kind), self._survey.place(self._new, kind)
        if not before.own and not self._survey.parked_of(self._old, kind).waiting:
            return False
        if self._moved in {offset.metadata for offset in after.parked.values()}:
            return False  # A former run has done this part.
        if after.own or self._survey.parked_of(self._new, kind).waiting:
            raise CommandError(
                f"{self._new} has a past of its own in {after.group.id}: it can take over that of"
                " another only if it has none; ampgate destinations forget drops it"
            )
        return True

    def settled(self, kind: Kind) -> Mapping[int, int]:
        """Up to where the old name's parked records have been moved, by partition."""
        if kind in self.kinds:
            return self._survey.parked_ends
        return {
            partition: offset.offset
            for partition, offset in self._survey.place(self._new, kind).parked.items()
        }

    async def move(
        self, kafka: Archive, producer: AIOKafkaProducer, on_moved: Callable[[int], None]
    ) -> None:
        if self.kinds:
            async with producer.transaction():
                headers = renames.said(self._old, self._new)
                await _write(producer, [Outgoing(self._topics.parked, 0, None, None, headers)])
        for kind in self.kinds:
            async with producer.transaction():
                await self.move_kind(kind, kafka, producer, on_moved)

    async def move_kind(
        self,
        kind: Kind,
        kafka: Archive,
        producer: AIOKafkaProducer,
        on_moved: Callable[[int], None],
    ) -> None:
        """Within the producer's transaction; aiokafka lets one group take part in each."""
        before, after = self._survey.place(self._old, kind), self._survey.place(self._new, kind)
        topic, parked = self._topics.of(kind), self._topics.parked
        offsets = {TopicPartition(topic, number): own for number, own in before.own.items()}
        for number, end in self._survey.parked_ends.items():
            offsets[TopicPartition(parked, number)] = OffsetAndMetadata(end, self._moved)
        await producer.send_offsets_to_transaction(offsets, after.group.id)
        turn = asyncio.Lock()  # Chunks of several partitions come at once.

        async def copy(records: list[Stored]) -> None:
            waiting = [
                self._readdressed(one)
                for one in records
                if addressed(self._topics, one) == (self._old, kind) and before.waits(one)
            ]
            async with turn:
                for first in range(0, len(waiting), FLIGHT_MAX):
                    flight = waiting[first : first + FLIGHT_MAX]
                    await _write(producer, flight)
                    on_moved(len(flight))

        if self._survey.parked_of(self._old, kind).waiting:
            wanted = Wanted([self._old.encode()])
            await kafka.search(self._survey.parked_spans, wanted, copy)

    def _readdressed(self, record: Stored) -> Outgoing:
        kept = [(name, value) for name, value in record.headers if name != "destination"]
        headers = [*kept, ("destination", self._new.encode())]
        return Outgoing(record.topic, record.partition, record.key, record.value, headers)


async def _write(producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> None:
    """In batches of our own: aiokafka's `send` refuses a record with neither key nor value."""
    acknowledgements: list[asyncio.Future[object]] = []
    for place, share in groupby(records, lambda one: (one.topic, one.partition)):
        left = deque(share)
        while left:
            batch = producer.create_batch()
            while left and _appended(batch, left[0]):
                left.popleft()
            batch.close()
            acknowledgements.append(await producer.send_batch(batch, place[0], partition=place[1]))
    await asyncio.gather(*acknowledgements)


def _appended(batch: Any, record: Outgoing) -> bool:  # noqa: ANN401  aiokafka has no types.
    """Whether there was room for it; in an empty batch there always is."""
    headers = writable(record.headers)
    taken = batch.append(timestamp=None, key=record.key, value=record.value, headers=headers)
    return taken is not None


def moving_producer(kafka: Kafka, old: str) -> AIOKafkaProducer:
    """For a rename. As it starts, it ends the transaction of a run that was interrupted."""
    return AIOKafkaProducer(
        **client_arguments(kafka),
        transactional_id=f"{kafka.topic_prefix}rename.{old}",
        transaction_timeout_ms=TRANSACTION_SECONDS * 1000,
        compression_type=None if kafka.compression == "none" else kafka.compression,
        max_request_size=MAX_MESSAGE_BYTES,
    )
