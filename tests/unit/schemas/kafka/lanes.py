"""A lane whose sender is the test."""

import asyncio
from collections.abc import Collection, Sequence
from types import SimpleNamespace

from aiokafka.cluster import ClusterMetadata
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.record.memory_records import MemoryRecords

from schemas.kafka.batches import Lane
from schemas.kafka.compression import Compression
from schemas.kafka.outage import Outage
from schemas.kafka.sizes import Sizes
from schemas.kafka.waiting_batches import WaitingBatch, WaitingBatches
from schemas.kafka.way import Way
from schemas.records import NewRecord, TopicPartition

RECORD = NewRecord(b"key", b"{}")
PARTITION = TopicPartition("topic", 0)
NOW_MS = 1_800_000_000_000


class Producer:
    """A producer whose sender is the test: it takes what waits when it is told to."""

    def __init__(self) -> None:
        transactions = TransactionManager(None, 60_000)
        transactions.set_pid_and_epoch(1, 0)
        cluster = ClusterMetadata()
        self.client = SimpleNamespace(cluster=cluster)
        self._message_accumulator = WaitingBatches(cluster, 900, 0, 30, txn_manager=transactions)
        self.handed_over = asyncio.Event()
        self._message_accumulator.wake = self.handed_over.set
        self.replacements = 0
        self.learns([PARTITION.partition])

    def learns(self, partitions: Sequence[int]) -> None:
        self.client.cluster._partitions[PARTITION.topic] = {
            number: SimpleNamespace(leader=0) for number in partitions
        }

    def replace(self) -> None:
        self.replacements += 1

    async def partitions_for(self, topic: str) -> Collection[int]:
        """As aiokafka's, of metadata that come a moment later."""
        await asyncio.sleep(0)
        self.learns([PARTITION.partition])
        return {PARTITION.partition}

    def take(self) -> WaitingBatch:
        """As aiokafka's sender does as it builds the request, a step of the loop later."""
        self.handed_over.clear()
        taken = self._message_accumulator._pop_batch(PARTITION)
        taken.get_data_buffer()
        return taken


def added(lane: Lane, records: Sequence[NewRecord]) -> "set[asyncio.Future[None]]":
    return {flush.stored for flush in lane.add_all(records, NOW_MS)}


def way_of(
    producer: Producer,
    ack_timeout_seconds: float = 30.0,
    batch_bytes: int = 900,
    compression: str = "none",
) -> Way:
    sizes = Sizes()
    sizes.told(PARTITION.topic, batch_bytes)
    return Way(
        lambda: producer,
        producer.replace,
        ack_timeout_seconds,
        sizes,
        Outage("it waits"),
        Compression(compression),
    )


def a_lane(
    producer: Producer,
    ack_timeout_seconds: float = 30.0,
    batch_bytes: int = 900,
    compression: str = "none",
) -> Lane:
    return Lane(way_of(producer, ack_timeout_seconds, batch_bytes, compression), PARTITION)


def numbers(taken: WaitingBatch) -> tuple[int, int, int]:
    """The producer's id, its epoch and the first sequence number, as Kafka will read them."""
    batch = MemoryRecords(bytes(taken.get_data_buffer())).next_batch()
    return batch.producer_id, batch.producer_epoch, batch.base_sequence
