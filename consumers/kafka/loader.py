"""Reading parked records again."""

import asyncio

import structlog
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from consumers.kafka.letter_forms import is_original
from consumers.kafka.reader import POLL_MILLISECONDS, READ_BYTES_MAX
from consumers.kafka.troubles import Troubles
from schemas.cancellation import heeding
from schemas.configuration.config import Kafka
from schemas.kafka.client import RECONNECT_SECONDS, started
from schemas.kafka.fetching.fetch import Consumer
from schemas.kafka.fetching.fetched import UnreadableError
from schemas.kafka.fetching.patience import Patience
from schemas.kafka.login import client_arguments
from schemas.letters import TRUNCATED, LetterHeaders, Origin, is_reference, without_letter
from schemas.records import Record, Stored, TopicPartition

SKIP_MAX = 5000  # Offsets to read past instead of seeking.
log = structlog.get_logger()


class Loader:
    """Reads what is parked of one destination and topic again, from any offset."""

    def __init__(self, kafka: Kafka, destination: str, topic: str) -> None:
        self._consumer = Consumer(
            **client_arguments(kafka),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=1_000_000,
        )
        self._troubles = Troubles(self._consumer)
        self._place: KafkaPartition | None = None
        self._asked = self._next = -1
        self._trouble: str | None = None
        self._destination, self._topic = destination, topic
        self._originals = Originals(kafka)

    async def start(self) -> None:
        await started(self._consumer)

    async def stop(self) -> None:
        await heeding(self._consumer.stop())
        await self._originals.stop()

    @property
    def trouble(self) -> str | None:
        """The last error of reading, if it persists; it may pass."""
        return self._trouble or self._troubles.passing

    async def read(
        self, place: TopicPartition, offset: int, records_max: int
    ) -> tuple[list[Record], int]:
        """Records from this offset on, and the lowest offset that can be read."""
        here = KafkaPartition(*place)
        self._ask_for(here, offset)
        try:
            if lost := await self._troubles.looked_into():
                return [], lost[-1].before
            taken = await self._consumer.take(
                {here}.difference(self._troubles.waiting),
                timeout_ms=POLL_MILLISECONDS,
                records_max=records_max,
                bytes_max=READ_BYTES_MAX,
            )
            self._troubles.happened(taken)
            self._next = taken.positions.get(here, -1)
            records = [record for part in taken.records for record in part]
            if any(map(is_reference, records)):
                records = await self._restored(records)
        except KafkaError as error:  # An error of no partition: the next read may succeed.
            self._say(error)
            await asyncio.sleep(RECONNECT_SECONDS)
            self._next = -1
            return [], offset
        self._trouble = None
        # The first record has a higher offset only if a seek found nothing at the wanted one.
        return records, max(offset, records[0].offset if records else self._next)

    async def _restored(self, records: list[Record]) -> list[Record]:
        """Read the bytes of references; no more bytes at once than one read may have."""
        restored: list[Record] = []
        left = READ_BYTES_MAX
        for record in records:
            origin = self._referred_to(record)
            whole = record if origin is None else await self._originals.whole(record, origin)
            restored.append(whole)
            left -= len(restored[-1].value or b"")
            if left <= 0 and record is not records[-1]:
                self._next = -1  # The next read seeks.
                break
        return restored

    def _referred_to(self, record: Record) -> Origin | None:
        """Where the bytes of a reference are; None if it cannot be one of ours.

        Ours have a key, and are parked in the partition of the same number as their origin's.
        Another producer may name a place that Kafka does not have, and asking for it would delay
        all others.
        """
        if record.key is None or not is_reference(record):
            return None
        letter = LetterHeaders.decoded(record.headers)
        place = TopicPartition(self._topic, record.partition)
        is_ours = letter.destination == self._destination
        return letter.origin if is_ours and letter.origin and letter.origin.place == place else None

    def _say(self, error: KafkaError) -> None:
        if self._trouble is None:
            log.error("parked records cannot be read, retrying", error=str(error))
        self._trouble = type(error).__name__

    def _ask_for(self, here: KafkaPartition, offset: int) -> None:
        if here != self._place:
            self._consumer.assign([here])
            self._place, self._next = here, -1
        if self._next < 0 or not self._next <= offset < self._next + SKIP_MAX:
            self._consumer.seek(here, offset)
        if offset != self._asked:
            self._asked = offset
            self._troubles.clear()


class Originals:
    """Reads the original records of references."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._consumer: Consumer | None = None  # References are rare.

    async def stop(self) -> None:
        if self._consumer is not None:
            await heeding(self._consumer.stop())

    async def whole(self, parked: Record, origin: Origin) -> Record:
        """The record with its bytes; without them, if they were deleted: then it is unusable.

        It keeps the key by which it was parked. If another producer refers to a record of another
        key, it is unusable, too.
        """
        original = await self._read(origin)
        if original is None or not is_original(original, parked):
            log.error("bytes of a parked record were deleted before it was due", origin=str(origin))
            return parked
        letter = [header for header in parked.headers if header[0] != TRUNCATED]
        return Stored(
            parked.topic,
            parked.partition,
            parked.offset,
            parked.timestamp,
            parked.key,
            original.value,
            [*without_letter(original.headers), *letter],
        )

    async def _read(self, origin: Origin) -> Record | None:
        if self._consumer is None:
            consumer = Consumer(
                **client_arguments(self._kafka), auto_offset_reset="none", enable_auto_commit=False
            )
            self._consumer = consumer  # Also if it is cancelled while it starts, it is stopped.
            await started(consumer)
        place = KafkaPartition(*origin.place)
        self._consumer.assign([place])
        self._consumer.seek(place, origin.offset)
        end = (await self._consumer.end_offsets([place]))[place]
        patience = Patience()
        while await self._consumer.position(place) < end:
            taken = patience.of(
                await self._consumer.take(
                    [place],
                    timeout_ms=POLL_MILLISECONDS,
                    records_max=1,
                    bytes_max=READ_BYTES_MAX,
                )
            )
            for _, error in taken.other_errors(self._consumer.believe):
                if isinstance(error, (OffsetOutOfRangeError, UnreadableError)):
                    return None
                raise error
            for record in [record for part in taken.records for record in part]:
                # Another one comes where this one was compacted.
                return record if record.offset == origin.offset else None
        return None
