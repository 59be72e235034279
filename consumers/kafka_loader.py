"""Parked records are read again."""

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition

from consumers.kafka import POLL_MILLISECONDS, client_arguments, started
from schemas.config import Kafka
from schemas.records import Record, TopicPartition

SKIP_MAX = 5000  # Records are read over, rather than sought past, up to here.


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

    async def start(self) -> None:
        await started(self._consumer)

    async def stop(self) -> None:
        await self._consumer.stop()

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
            return records, max(offset, records[0].offset)
        self._next = -1
        begins = await self._consumer.beginning_offsets([here])
        return [], begins[here]
