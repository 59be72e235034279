"""Appends records to Kafka at a given rate, in order for each key."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer

from ampgate.cli.configuration import client_arguments
from ampgate.resend.parking import Outgoing
from ampgate.topics import MAX_MESSAGE_BYTES
from schemas.configuration.config import Kafka

FLIGHT_MAX = 500  # Records on their way to Kafka before we wait for its acknowledgements.


class Writer:
    def __init__(
        self, producer: AIOKafkaProducer, rate: float | None, on_written: Callable[[int], None]
    ) -> None:
        self._producer = producer
        self._rate = rate
        self._on_written = on_written
        self._began = time.monotonic()
        self._taken = 0
        self._turn = asyncio.Lock()  # Chunks of several partitions come at once.

    async def write(self, records: Sequence[Outgoing]) -> None:
        """Returns once Kafka has them; `on_written` is told how many, as it goes on."""
        async with self._turn:
            for first in range(0, len(records), FLIGHT_MAX):
                flight = records[first : first + FLIGHT_MAX]
                acknowledgements = [await self._send(record) for record in flight]
                await asyncio.gather(*acknowledgements)
                self._on_written(len(flight))

    async def _send(self, record: Outgoing) -> asyncio.Future[object]:
        if self._rate is not None:
            due = self._began + self._taken / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        self._taken += 1
        if record.key is None and record.value is None:
            return await self._send_empty(record)
        acknowledgement: asyncio.Future[object] = await self._producer.send(
            record.topic,
            value=record.value,
            key=record.key,
            partition=record.partition,
            headers=list(record.headers),
        )
        return acknowledgement

    async def _send_empty(self, record: Outgoing) -> asyncio.Future[object]:
        """Kafka takes a record without key and value, aiokafka's `send` does not."""
        assert record.partition is not None, "only what is parked may be empty"
        batch = self._producer.create_batch()
        headers = list(record.headers)
        batch.append(timestamp=None, key=None, value=None, headers=headers)
        batch.close()
        acknowledgement: asyncio.Future[object] = await self._producer.send_batch(
            batch, record.topic, partition=record.partition
        )
        return acknowledgement


@asynccontextmanager
async def writer(
    kafka: Kafka, *, rate: float | None, on_written: Callable[[int], None]
) -> AsyncIterator[Writer]:
    producer = AIOKafkaProducer(
        **client_arguments(kafka),
        acks="all",
        enable_idempotence=True,
        compression_type=None if kafka.compression == "none" else kafka.compression,
        max_request_size=MAX_MESSAGE_BYTES,
    )
    await producer.start()
    try:
        yield Writer(producer, rate, on_written)
    finally:
        await producer.stop()  # What was handed to it is written first.
