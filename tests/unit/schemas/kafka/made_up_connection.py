"""Our sender, and a connection and a client that are the test."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from aiokafka.client import ConnectionGroup
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaConnectionError
from aiokafka.producer.sender import Sender
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.produce import ProduceResponse_v7

from schemas.kafka.flushes import OpenBatch
from schemas.kafka.numbering import Numbering
from schemas.kafka.sender import QuickSender
from schemas.kafka.waiting_batches import Told, WaitingBatch, WaitingBatches
from schemas.records import NewRecord, TopicPartition

NODE, TOPIC = 3, "topic"


class Connection:
    """An open one, as aiokafka's is to our sender."""

    def __init__(self, versions: tuple[int, int] = (3, 13)) -> None:
        self._versions = {0: versions}
        self._client_id = "us"
        self._requests: deque[Any] = deque()
        self._writer = self
        self.sent: list[bytes] = []
        self.is_open = True

    def connected(self) -> bool:
        return self.is_open

    def _next_correlation_id(self) -> int:
        return len(self.sent)

    def write(self, message: bytes) -> None:
        self.sent.append(message)

    def answer(self, *errors: tuple[int, int]) -> None:
        """As aiokafka reads the answer to the oldest request; of these partitions."""
        _, _, future = self._requests[0]
        if any(code for _, code in errors):
            results = [(partition, code, 7, -1, 0) for partition, code in errors]
            future.set_result(ProduceResponse_v7([(TOPIC, results)], 0))
        else:
            future.set_result([(TOPIC, partition) for partition, _ in errors])
        self._requests.popleft()

    def close(self, **_: object) -> None:
        self.is_open = False
        for _, _, future in self._requests:
            future.set_exception(KafkaConnectionError("closed"))
        self._requests.clear()


class Client:
    def __init__(self, connection: Connection) -> None:
        self.cluster = ClusterMetadata()
        self.cluster._partitions[TOPIC] = {n: SimpleNamespace(leader=NODE) for n in range(3)}
        self._conns = {(NODE, ConnectionGroup.DEFAULT): connection}
        self.sent_by_aiokafka: list[Any] = []

    def force_metadata_update(self) -> "asyncio.Future[bool]":
        known = asyncio.get_running_loop().create_future()
        known.set_result(True)
        return known

    async def _maybe_wait_metadata(self) -> None:
        pass

    async def send(self, _node: int, request: Any) -> Any:  # noqa: ANN401
        """What aiokafka's own sender sends is stored."""
        self.sent_by_aiokafka.append(request)
        topics = [
            (topic, [(number, 0, 7, -1, 0) for number, _ in batches])
            for topic, batches in request._topics
        ]
        return ProduceResponse_v7(topics, 0)


class Opened:
    def __init__(self, connection: Connection, timeout_ms: int = 30_000) -> None:
        self.client = Client(connection)
        transactions = TransactionManager(None, 60_000)
        transactions.set_pid_and_epoch(1, 0)
        self._numbering = [Numbering() for _ in range(3)]
        self.batches = WaitingBatches(self.client.cluster, 900, 0, 30, txn_manager=transactions)
        like = Sender(
            self.client,
            acks=-1,
            txn_manager=transactions,
            message_accumulator=self.batches,
            retry_backoff_ms=1,
            request_timeout_ms=timeout_ms,
        )
        self.sender = QuickSender(like, self.batches)

    def add(self, partition: int, value: bytes, told: Told = lambda _: None) -> WaitingBatch:
        """The batch of this record."""
        batch = OpenBatch(900, 0, self._numbering[partition])
        batch.add(NewRecord(None, value), 0)
        return self.batches.add(batch, TopicPartition(TOPIC, partition), told)


def is_stored(batch: WaitingBatch) -> bool:
    return batch.is_over and batch.error is None


@asynccontextmanager
async def opened(connection: Connection, timeout_ms: int = 30_000) -> AsyncIterator[Opened]:
    one = Opened(connection, timeout_ms)
    await one.sender.start()
    await asyncio.sleep(0)  # aiokafka's own looks once for what waits.
    try:
        yield one
    finally:
        await one.sender.close()
