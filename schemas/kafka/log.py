"""Appending to Kafka: returns once Kafka has acknowledged, or raises `NotStored`.

Writers share one batch a partition: while a batch is in flight, the next one fills.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Collection, Sequence

from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.configuration.config import Kafka
from schemas.kafka.batches import Lane, NotStored, TooLargeForKafka
from schemas.kafka.compression import Compression
from schemas.kafka.connection import Connection
from schemas.kafka.flushes import Write
from schemas.kafka.outage import Outage
from schemas.kafka.partitioner import positive_hash, shares
from schemas.kafka.sizes import RECORD_BYTES, Sizes
from schemas.kafka.way import Way
from schemas.records import Appendable, NewRecord, RawRecord, TopicPartition

PARTITIONS_FRESH_SECONDS = 10.0
CONNECT_SECONDS = 10.0
DRAIN_SECONDS = 1.0
TURN_RECORDS = 1_000  # Appended at once, in about 3 ms; then other tasks run.
ANY = -1  # In place of a partition's number: the topic could not be asked for.
AROUND_BYTES = 4_096  # For key and headers; a value this close to the limit is measured with them.


class Log:
    """Writes to these topics of Kafka."""

    def __init__(
        self,
        kafka: Kafka,
        topics: Sequence[str],
        *,
        ack_timeout_seconds: float | None,
        on_outage: str,
        strict: Collection[str] = (),
    ) -> None:
        """Without `ack_timeout_seconds`, a write ends when its result is known, however long it
        takes.

        In a `strict` topic, no record is stored that was behind one that failed. `on_outage` is
        logged: what happens while Kafka takes no writes.
        """
        self._strict = strict
        self.sizes = Sizes()
        self.outage = Outage(on_outage)
        self._connection = Connection(kafka, topics, self.sizes, self.outage)
        self.connect = self._connection.start  # Begin to; Kafka may become available later.
        self.leaderless = self._connection.leaderless
        self.compression = Compression(kafka.compression)
        self._connect_seconds = ack_timeout_seconds or CONNECT_SECONDS
        self._way = Way(
            self._connection.producer,
            self._connection.replace,
            ack_timeout_seconds,
            self.sizes,
            self.outage,
            self.compression,
        )
        self.patient = self._way.patient
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._partitions: dict[str, tuple[float, int]] = {}
        self._round = itertools.count()

    async def start(self) -> None:
        """Connect, and wait for it a moment."""
        self.connect()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._connection.is_made.wait(), self._connect_seconds)

    async def connected(self) -> None:
        """Returns once Kafka was reached for the first time."""
        await self._connection.is_made.wait()

    async def stop(self) -> None:
        """Wait a moment for batches in flight; writers that waited longer have timed out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                for lane in self._lanes.values():
                    await lane.drain()
        await self._connection.stop()

    async def append(
        self, topic: str, records: Sequence[NewRecord], at_ms: int | None = None
    ) -> None:
        """Store the records, in order for each key; returns when Kafka has them all.

        `at_ms` is when they were accepted, if not now, in milliseconds since the epoch.
        `TooLargeForKafka` when one is larger than its topic takes: as a rule before any is stored.
        """
        write = self.begin(topic, records, at_ms)
        if write is None:
            write = await self._begin_in_turns(topic, records, at_ms)
        await write.ended()

    def begin(
        self, topic: str, records: Sequence[NewRecord], at_ms: int | None = None
    ) -> Write | None:
        """As `append`, without waiting; None if that is not possible, and nothing is appended."""
        most = self.sizes.of(topic).record
        if most < RECORD_BYTES:  # Else all records of a request fit.
            surely = most - AROUND_BYTES
            for record in records:
                if len(record.value) > surely:
                    self._measure(topic, record, most)
        fresh_until, count = self._partitions.get(topic, (0.0, 0))
        if fresh_until < time.monotonic() or len(records) > TURN_RECORDS:
            return None
        write = Write()
        self._add(topic, records, count, write, at_ms)
        return write

    async def _begin_in_turns(
        self, topic: str, records: Sequence[NewRecord], at_ms: int | None
    ) -> Write:
        count, write = await self.partitions(topic), Write()
        for start in range(0, len(records), TURN_RECORDS):
            if start:
                await asyncio.sleep(0)
            self._add(topic, records[start : start + TURN_RECORDS], count, write, at_ms)
        return write

    def _add(
        self, topic: str, records: Sequence[NewRecord], count: int, write: Write, at_ms: int | None
    ) -> None:
        if at_ms is None:
            at_ms = self._way.timestamps.now_ms()
        if len(records) == 1:
            partition = self._partition(records[0].key, count)
            self._lane(topic, partition).add(records[0], at_ms).await_by(write)
            return
        for partition, share in shares(records, count, self._round).items():
            for flush in self._lane(topic, partition).add_all(share, at_ms):
                flush.await_by(write)

    async def store(self, topic: str, record: RawRecord) -> None:
        """Store one record, with any bytes, in its key's partition."""
        partition = await self.partition_of(topic, record.key)
        await asyncio.shield(self.submit(topic, record, partition))

    async def store_all(self, topic: str, records: Sequence[RawRecord]) -> None:
        """Store the records, with any bytes, in order for each key."""
        count = await self.partitions(topic)
        stored = [self.submit(topic, one, self._partition(one.key, count)) for one in records]
        if stored:
            await asyncio.wait(set(stored))  # Not cancelled with us: others share their batches.
        for one in stored:
            one.result()

    def submit(self, topic: str, record: RawRecord, partition: int) -> "asyncio.Future[None]":
        """Append one record to this partition's queue.

        The future is shared: others' records are in the same batch, so it must not be cancelled.
        """
        self._require_room(topic, record)
        return self._lane(topic, partition).add(record, self._way.timestamps.now_ms()).stored

    async def store_in_order(
        self, topic: str, records: Sequence[RawRecord], partition: int
    ) -> tuple[int, BaseException | None]:
        """How many were stored, and what the next one failed with.

        In a `strict` topic none behind that one was stored.
        """
        writes: list[asyncio.Future[None]] = []
        error: BaseException | None = None
        lane, now_ms = self._lane(topic, partition), self._way.timestamps.now_ms()
        for record in records:  # Without an await between: none is queued behind one that failed.
            try:
                self._require_room(topic, record)
                writes.append(lane.add(record, now_ms).stored)
            except Exception as caught:  # noqa: BLE001  Whatever it is, it concerns this record.
                error = caught
                break
        if writes:
            await asyncio.wait(set(writes))  # Not cancelled with us: others share their batches.
        for stored, write in enumerate(writes):
            if (failure := write.exception()) is not None:
                return stored, failure
        return len(writes), error

    async def partition_of(self, topic: str, key: bytes | None) -> int:
        """The partition of this key; without a key, any."""
        return self._partition(key, await self.partitions(topic))

    def fits(self, topic: str, record: Appendable) -> bool:
        """Whether the topic takes it, as far as its limit is known."""
        try:
            self._require_room(topic, record)
        except TooLargeForKafka:
            return False
        return True

    def _require_room(self, topic: str, record: Appendable) -> None:
        size = len(record.value or b"") + len(record.key or b"")
        size += sum([len(value) for _, value in record.headers if value])
        most = self.sizes.of(topic).record
        if size > most - AROUND_BYTES:
            self._measure(topic, record, most)

    def _measure(self, topic: str, record: Appendable, most: int) -> None:
        """Raises `TooLargeForKafka` if it does not fit, compressed as it would be sent."""
        alone = BatchBuilder(most, self.compression.codec)
        headers = list(record.headers)
        alone.append(timestamp=0, key=record.key, value=record.value, headers=headers)
        if (size := len(alone._build())) > most:  # noqa: SLF001
            raise TooLargeForKafka(topic, size)

    def _lane(self, topic: str, partition: int) -> Lane:
        lane = self._lanes.get((topic, partition))
        if lane is None:
            place = TopicPartition(topic, partition)
            lane = self._lanes[topic, partition] = Lane(
                self._way, place, is_strict=topic in self._strict
            )
        return lane

    def _partition(self, key: bytes | None, count: int) -> int:
        if key is None:
            return next(self._round) % count
        return positive_hash(key) % count

    async def partitions(self, topic: str) -> int:
        """How many the topic has; `NotStored` if that cannot be learned."""
        fresh_until, count = self._partitions.get(topic, (0.0, 0))
        if fresh_until >= time.monotonic():
            return count
        try:
            async with asyncio.timeout(self._connect_seconds):
                count = len(await self._connection.producer().partitions_for(topic))
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._failed(topic, repr(error)) from error
        if not count:
            raise self._failed(topic, "there is no such topic")
        self._partitions[topic] = (time.monotonic() + PARTITIONS_FRESH_SECONDS, count)
        self.outage.stored(TopicPartition(topic, ANY))  # It is there, and may be seen.
        return count

    def _failed(self, topic: str, why: str) -> NotStored:
        self.outage.failed(TopicPartition(topic, ANY), why)
        return NotStored(f"{topic}: {why}")
