"""Readers of one process share a bound on what they have fetched, and none starves another."""

import asyncio
import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from schemas.configuration.config import Kafka
from schemas.kafka.fetching.budget import BUDGET
from schemas.kafka.fetching.fetch import Consumer
from schemas.kafka.login import client_arguments
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS
from tests.kafka.writing import Topic

PARTITIONS, RECORD_BYTES = 6, 900_000
BOUND = 3 * RECORD_BYTES


@asynccontextmanager
async def reading(kafka: Kafka, places: Collection[TopicPartition]) -> AsyncIterator[Consumer]:
    consumer = Consumer(
        **client_arguments(kafka),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=1_000_000,
    )
    await consumer.start()
    try:
        consumer.assign(places)
        yield consumer
    finally:
        await consumer.stop()


async def read(consumer: Consumer, wanted: Collection[TopicPartition], count: int) -> list[bytes]:
    """So many values of these partitions."""
    found: list[bytes] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(found) < count:
            taken = await consumer.take(wanted, timeout_ms=200, records_max=1, bytes_max=1)
            found += [one.value or b"" for part in taken.records for one in part]
            assert not taken.errors
            assert BUDGET.bytes <= BOUND + 2 * RECORD_BYTES
    return found


async def test_a_reader_of_a_full_destination_gives_way_and_reads_all_later(
    kafka: Broker, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BUDGET, "bytes_max", BOUND)
    configured = Kafka(bootstrap_servers=kafka.bootstrap_servers)
    topic = Topic(configured, f"{topic_prefix}large")
    await topic.create(partitions=PARTITIONS)
    values = [os.urandom(RECORD_BYTES) for _ in range(2 * PARTITIONS)]
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
        for n, value in enumerate(values):
            await producer.send_and_wait(topic.name, value, partition=n % PARTITIONS)
    places = [TopicPartition(topic.name, n) for n in range(PARTITIONS)]

    async with reading(configured, places) as full:
        first = await read(full, places[:1], 1)  # Of the others it fetches, and takes nothing.
        async with reading(configured, places) as other:
            assert sorted(await read(other, places, len(values))) == sorted(values)
        first += await read(full, places, len(values) - 1)
        assert sorted(first) == sorted(values)
