"""Our sender, to a connection that is the test: what it sends, and what it leaves to aiokafka's."""

import asyncio
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.client import ConnectionGroup
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from aiokafka.producer.sender import Sender
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.produce import ProduceResponse_v7

from schemas.kafka.flushes import OpenBatch
from schemas.kafka.numbering import Numbering
from schemas.kafka.produce_requests import Stored
from schemas.kafka.sender import QuickSender, WaitingBatches
from schemas.records import NewRecord, TopicPartition
from tests.eventually import eventually

NODE, TOPIC = 3, "topic"
TOO_LARGE, NOT_LEADER = 10, 6  # Kafka's error codes.


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
            future.set_result([Stored(TOPIC, partition, 7, -1, 0) for partition, _ in errors])
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

    def add(self, partition: int, value: bytes) -> Any:  # noqa: ANN401
        """The batch of this record."""
        batch = OpenBatch(900, 0, self._numbering[partition])
        batch.add(NewRecord(None, value), 0)
        return self.batches._append_batch(batch, TopicPartition(TOPIC, partition))


@asynccontextmanager
async def opened(connection: Connection, timeout_ms: int = 30_000) -> AsyncIterator[Opened]:
    one = Opened(connection, timeout_ms)
    await one.sender.start()
    await asyncio.sleep(0)  # aiokafka's own looks once for what waits.
    try:
        yield one
    finally:
        await one.sender.close()


async def test_all_that_waits_goes_in_one_request() -> None:
    connection = Connection()
    async with opened(connection) as one:
        waiting = [one.add(number, b"value %d" % number) for number in range(3)]
        await eventually(lambda: bool(connection.sent))
        connection.answer((0, 0), (1, 0), (2, 0))

    [message] = connection.sent
    assert struct.unpack_from(">i", message) == (len(message) - 4,)
    assert all(b"value %d" % number in message for number in range(3))
    assert [batch.future.result().offset for batch in waiting] == [7, 7, 7]


async def test_an_answer_and_the_next_request_take_one_step_of_the_loop() -> None:
    connection = Connection()
    async with opened(connection) as one:
        first = one.add(0, b"first")
        await eventually(lambda: bool(connection.sent))
        first.told = lambda _: one.add(0, b"follows")
        other = one.add(1, b"waits")
        await asyncio.sleep(0)
        assert len(connection.sent) == 1, "one request a broker is in flight"
        connection.answer((0, 0))
        assert len(connection.sent) == 2
        assert b"follows" in connection.sent[1]
        assert b"waits" in connection.sent[1]
        connection.answer((0, 0), (1, 0))
    assert other.future.done()


async def test_a_batch_that_kafka_refuses_fails_and_harms_nobody_beside_it() -> None:
    connection = Connection()
    async with opened(connection) as one:
        large, small = one.add(0, b"large"), one.add(1, b"small")
        await eventually(lambda: bool(connection.sent))
        connection.answer((0, TOO_LARGE), (1, 0))
        await asyncio.wait([large.future, small.future])
        later = one.add(0, b"later")
        await eventually(lambda: len(connection.sent) == 2)
        connection.answer((0, 0))

    assert isinstance(large.future.exception(), MessageSizeTooLargeError)
    assert small.future.result().offset == 7
    assert later.future.done()


async def test_a_batch_that_kafka_will_take_later_is_sent_again_as_it_was() -> None:
    connection = Connection()
    async with opened(connection) as one:
        batch = one.add(0, b"value")
        await eventually(lambda: bool(connection.sent))
        connection.answer((0, NOT_LEADER))
        await eventually(lambda: len(connection.sent) == 2)
        connection.answer((0, 0))

    assert all(batch.get_data_buffer() in message for message in connection.sent)
    assert batch.future.result().offset == 7


@pytest.mark.parametrize("trouble", ["a closed connection", "no answer"])
async def test_a_batch_whose_answer_is_lost_is_sent_again_as_it_was(trouble: str) -> None:
    connection = Connection()
    timeout_ms = 10 if trouble == "no answer" else 30_000
    async with opened(connection, timeout_ms) as one:
        batch = one.add(0, b"value")
        await eventually(lambda: bool(connection.sent))
        if trouble == "a closed connection":
            connection.close()
        await asyncio.wait([batch.future])

    [again] = one.client.sent_by_aiokafka  # It connects anew.
    assert again._topics == [(TOPIC, [(0, batch.get_data_buffer())])]
    assert batch.get_data_buffer() in connection.sent[0], "with its number in the partition, too"
    assert batch.future.result().offset == 7


async def test_a_batch_for_a_connection_that_has_just_ended_is_sent_by_another() -> None:
    class Ended(Connection):
        def write(self, _message: bytes) -> None:
            raise RuntimeError("the handler is closed")  # As uvloop does.

    async with opened(Ended()) as one:
        batch = one.add(0, b"value")
        await asyncio.wait([batch.future])

    assert len(one.client.sent_by_aiokafka) == 1
    assert batch.future.result().offset == 7


@pytest.mark.parametrize("missing", ["connection", "leader", "version"])
async def test_aiokafka_sends_what_cannot_go_at_once(missing: str) -> None:
    connection = Connection((0, 5) if missing == "version" else (3, 13))
    async with opened(connection) as one:
        if missing == "connection":
            connection.is_open = False
        elif missing == "leader":
            one.client.cluster._partitions[TOPIC][0].leader = -1
        batch = one.add(0, b"value")
        if missing == "leader":
            await asyncio.sleep(0)
            one.client.cluster._partitions[TOPIC][0].leader = NODE
        await asyncio.wait([batch.future])

    assert batch.future.result().offset == 7


async def test_nothing_is_left_behind_when_it_ends_before_an_answer() -> None:
    connection = Connection()
    async with opened(connection) as one:
        batch = one.add(0, b"value")
        await eventually(lambda: bool(connection.sent))
        connection.answer((0, NOT_LEADER))  # It would be sent again in a moment.
    connection.close()

    assert not batch.future.done(), "its connection's owner fails it"
