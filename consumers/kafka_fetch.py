"""aiokafka's consumer, with another fetcher: errors come as values, and reads are bounded by bytes.

aiokafka's own `getmany` raises what concerns one partition, and then forgets what it had already
taken of others; it skips what it cannot parse or parses it again for ever; and it knows records,
not bytes. Three classes take the place of aiokafka's, for every consumer of the process.
"""

import asyncio
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import aiokafka.consumer.consumer
import aiokafka.consumer.fetcher
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchError, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException, KafkaError

from consumers.kafka_batches import Batches
from schemas.records import Record


class UnreadableError(CorruptRecordException):  # type: ignore[misc]  # aiokafka has no types.
    """A batch that cannot be parsed: its offsets from `first` to before `before`."""

    def __init__(self, first: int, before: int, why: Exception) -> None:
        super().__init__(repr(why))
        self.first = first
        self.before = before


@dataclass(frozen=True, slots=True)
class Taken:
    """What was fetched: records, positions after them, and what went wrong, each by partition."""

    records: list[Sequence[Record]] = field(default_factory=list)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    errors: dict[TopicPartition, KafkaError] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.records or self.errors)


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types.
    async def take(
        self,
        partitions: Collection[TopicPartition],
        *,
        timeout_ms: int,
        records_max: int,
        bytes_max: int,
    ) -> Taken:
        """What has been fetched of these partitions, or comes in time.

        Of values at most `bytes_max`, and one more. Raises `KafkaError` for what concerns the
        group; what concerns a partition is in the answer.
        """
        self._coordinator.check_errors()
        with self._subscription.fetch_context():
            taken: Taken = await self._fetcher.taken(
                partitions, timeout_ms / 1000, records_max, bytes_max
            )
        return taken


class _Records(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types.
    """Of one partition. A batch that aiokafka's parser refuses is parsed once more, by ours."""

    _records_iterator: Iterator[Any] | None

    def __next__(self) -> Any:  # noqa: ANN401  aiokafka's `ConsumerRecord`.
        try:
            return next(self._records_iterator or iter(()))
        except StopIteration:
            self._records_iterator = None
            raise
        except Exception as error:  # Whatever bytes may raise.
            if self._records.try_again():
                self._records_iterator = self._unpack_records()
                return next(self)
            before = self._records.batch_end(self.next_fetch_offset)
            raise UnreadableError(self.next_fetch_offset, before, error) from error


class _Fetcher(Fetcher):  # type: ignore[misc]  # aiokafka has no types.
    async def taken(
        self,
        partitions: Collection[TopicPartition],
        seconds: float,
        records_max: int,
        bytes_max: int,
    ) -> Taken:
        deadline = time.monotonic() + seconds
        while True:
            if self._subscriptions.reassignment_in_progress:
                await self._subscriptions.wait_for_assignment()
            taken = self._take(partitions, records_max, bytes_max)
            left = deadline - time.monotonic()
            if taken or left <= 0:
                return taken
            waiter = self._create_fetch_waiter()
            await asyncio.wait([waiter], timeout=left)
            if not waiter.done():
                waiter.cancel()
                return taken
            waiter.result()  # It raises what concerns the group.

    def _take(
        self, partitions: Collection[TopicPartition], records_max: int, bytes_max: int
    ) -> Taken:
        taken = Taken()
        for place in list(self._records):
            if place not in partitions:
                if not self._subscriptions.is_assigned(place):
                    del self._records[place]
                continue
            if records_max <= 0 or bytes_max <= 0:
                break
            result = self._records[place]
            if isinstance(result, FetchError):
                taken.errors[place] = result._error  # noqa: SLF001
                self._forget(place)
            elif result.has_more() and result.check_assignment(place):
                records, size = self._take_of(place, result, taken, records_max, bytes_max)
                records_max -= records
                bytes_max -= size
            else:
                self._forget(place)
        return taken

    def _take_of(
        self,
        place: TopicPartition,
        result: FetchResult,
        taken: Taken,
        records_max: int,
        bytes_max: int,
    ) -> tuple[int, int]:
        """How many records and bytes they were."""
        records: list[Record] = []
        left, is_all = bytes_max, False
        fetched = result._partition_records  # noqa: SLF001
        try:
            for record in islice(fetched, records_max):
                records.append(record)
                left -= record.serialized_value_size
                if left <= 0:
                    break
            else:
                is_all = len(records) < records_max
        except UnreadableError as error:
            taken.errors[place] = error
            is_all = True
        result._update_position()  # noqa: SLF001
        taken.positions[place] = fetched.next_fetch_offset
        if records:
            taken.records.append(records)
        if is_all:
            self._forget(place)
        return len(records), bytes_max - left

    def _forget(self, place: TopicPartition) -> None:
        """So that it is fetched again."""
        del self._records[place]
        self._notify(self._wait_consume_future)


aiokafka.consumer.fetcher.MemoryRecords = Batches
aiokafka.consumer.fetcher.PartitionRecords = _Records
aiokafka.consumer.consumer.Fetcher = _Fetcher
