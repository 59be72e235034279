"""Parked records are read again."""

from dataclasses import dataclass

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import OffsetOutOfRangeError

from consumers.kafka import POLL_MILLISECONDS, client_arguments, started
from schemas.config import Kafka
from schemas.letters import TRUNCATED, LetterHeaders, Origin, is_reference, without_letter
from schemas.records import Headers, Record, TopicPartition

SKIP_MAX = 5000  # Records are read over, rather than sought past, up to here.
log = structlog.get_logger()


class Loader:
    """Reads parked records again, from any offset."""

    def __init__(self, kafka: Kafka) -> None:
        self._consumer = AIOKafkaConsumer(
            **client_arguments(kafka),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=1_000_000,
        )
        self._place: KafkaPartition | None = None
        self._next = -1
        self._originals = Originals(kafka)

    async def start(self) -> None:
        await started(self._consumer)

    async def stop(self) -> None:
        await self._consumer.stop()
        await self._originals.stop()

    async def read(
        self, place: TopicPartition, offset: int, records_max: int
    ) -> tuple[list[Record], int]:
        """Records from this offset on, and the lowest offset that Kafka still has."""
        here = KafkaPartition(*place)
        if here != self._place:
            self._consumer.assign([here])
            self._place, self._next = here, -1
        if not self._next <= offset < self._next + SKIP_MAX:
            self._consumer.seek(here, offset)
        fetched = await self._consumer.getmany(
            here, timeout_ms=POLL_MILLISECONDS, max_records=records_max
        )
        records: list[Record] = fetched.get(here, [])
        if records:
            self._next = records[-1].offset + 1
            # It begins further on only where a seek found that offset deleted.
            begins_at = max(offset, records[0].offset)
            if any(map(is_reference, records)):
                records = [await self._originals.whole(record) for record in records]
            return records, begins_at
        self._next = -1
        begins = await self._consumer.beginning_offsets([here])
        return [], begins[here]


@dataclass(frozen=True, slots=True)
class Restored:
    """A parked record with the bytes that were too many to be parked."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Originals:
    """Reads the records that are parked as references, from where they came."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._consumer: AIOKafkaConsumer | None = None  # Hardly anybody needs one.

    async def stop(self) -> None:
        if self._consumer is not None:
            await self._consumer.stop()

    async def whole(self, parked: Record) -> Record:
        """The record with its bytes; without, if they were deleted: then it is unusable."""
        origin = LetterHeaders.decoded(parked.headers).origin if is_reference(parked) else None
        original = None if origin is None else await self._read(origin)
        if original is None:
            return parked
        letter = [header for header in parked.headers if header[0] != TRUNCATED]
        return Restored(
            parked.topic,
            parked.partition,
            parked.offset,
            parked.timestamp,
            original.key,
            original.value,
            [*without_letter(original.headers), *letter],
        )

    async def _read(self, origin: Origin) -> Record | None:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **client_arguments(self._kafka), auto_offset_reset="none", enable_auto_commit=False
            )
            await started(consumer)
            self._consumer = consumer
        place = KafkaPartition(*origin.place)
        self._consumer.assign([place])
        self._consumer.seek(place, origin.offset)
        end = (await self._consumer.end_offsets([place]))[place]
        while await self._consumer.position(place) < end:
            try:
                fetched = await self._consumer.getmany(place, max_records=1, timeout_ms=1000)
            except OffsetOutOfRangeError:
                break
            for record in fetched.get(place, ()):
                found: Record = record
                if found.offset == origin.offset:
                    return found
                end = 0  # It was compacted away.
        log.error("the bytes of a parked record were deleted before it was due", origin=str(origin))
        return None
