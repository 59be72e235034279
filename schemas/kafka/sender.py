"""Sends batches to Kafka by callbacks, as long as nothing is wrong; else aiokafka's sender does.

aiokafka takes a batch, sends a request and reads its answer in six steps of the event loop, each
behind whatever else there is to do: under load that was most of a request's latency. Here the
answer, and the request that follows it, take one.
"""

import asyncio
from typing import Any

from aiokafka.client import ConnectionGroup
from aiokafka.conn import CloseReason
from aiokafka.producer.sender import Sender, SendProduceReqHandler

from schemas.deadline import Deadline
from schemas.kafka.produce_requests import PRODUCE, VERSION, Awaited, request_of
from schemas.kafka.waiting_batches import WaitingBatch, WaitingBatches
from schemas.records import TopicPartition

Batches = dict[TopicPartition, WaitingBatch]
UNKNOWN = (0, -1)  # The versions of a request that the broker does not know.


class QuickSender(Sender):  # type: ignore[misc]  # aiokafka has no types.
    """As aiokafka's, one request a broker is in flight, of all batches that wait for it."""

    def __init__(self, like: Sender, batches: WaitingBatches) -> None:
        super().__init__(
            like.client,
            acks=like._acks,  # noqa: SLF001
            txn_manager=like._txn_manager,  # noqa: SLF001
            message_accumulator=batches,
            retry_backoff_ms=like._retry_backoff * 1000,  # noqa: SLF001
            request_timeout_ms=like._request_timeout_ms,  # noqa: SLF001
        )
        self._loop = asyncio.get_running_loop()
        self._deadlines: dict[int, Deadline] = {}  # Of the request in flight, by broker.
        self._settling: set[asyncio.Task[None]] = set()
        self._is_woken = self._has_ended = False
        batches.wake = self._wake

    async def close(self) -> None:
        self._has_ended = True
        for deadline in self._deadlines.values():
            deadline.forget()
        await super().close()
        if self._settling:
            for task in self._settling:
                task.cancel()
            await asyncio.wait(self._settling)

    def _wake(self) -> None:
        """Send what waits, when all that is added in this step of the loop waits, too."""
        if not self._is_woken:
            self._is_woken = True
            self._loop.call_soon(self._send)

    def _send(self) -> None:
        self._is_woken = False
        if self._has_ended or not self._txn_manager.has_pid():
            return
        waiting, is_left = self._message_accumulator, False
        ready: dict[int, tuple[Any, Batches]] = {}
        for place in list(waiting._batches):  # noqa: SLF001
            node = self.client.cluster.leader_for_partition(place)
            if node in self._in_flight or place in self._muted_partitions:
                continue
            found = ready.get(node)
            if found is None:
                connection = self._connection(node)
                if connection is None:
                    is_left = True
                    continue
                found = ready[node] = connection, {}
            found[1][place] = waiting._pop_batch(place)  # noqa: SLF001
        for node, (connection, batches) in ready.items():
            self._request(node, connection, batches)
        if is_left:
            self._wake_aiokafka()

    def _wake_aiokafka(self) -> None:
        """Its own sender takes what waits: it connects, and asks for leaders."""
        waiter = self._message_accumulator._waiter_future  # noqa: SLF001
        if not waiter.done():
            waiter.set_result(None)

    def _connection(self, node: int | None) -> Any:  # noqa: ANN401
        """An open one, to a broker that knows our version of the request."""
        connection = self.client._conns.get((node, ConnectionGroup.DEFAULT))  # noqa: SLF001
        if connection is None or not connection.connected():
            return None
        lowest, highest = connection._versions.get(PRODUCE, UNKNOWN)  # noqa: SLF001
        return connection if lowest <= VERSION <= highest else None

    def _request(self, node: int, connection: Any, batches: Batches) -> None:  # noqa: ANN401
        topics: dict[str, list[tuple[int, bytearray]]] = {}
        for place, batch in batches.items():
            topics.setdefault(place.topic, []).append((place.partition, batch.filled.data()))
        number = connection._next_correlation_id()  # noqa: SLF001
        client, timeout_ms = connection._client_id, self._request_timeout_ms  # noqa: SLF001
        message = request_of(number, client, timeout_ms, topics)
        self._in_flight.add(node)
        self._muted_partitions.update(batches)
        answer = _Answer(self, node, batches)
        connection._requests.append((number, Awaited, answer))  # noqa: SLF001
        deadline = self._deadlines.get(node)
        if deadline is None:
            deadline = self._deadlines[node] = Deadline(self._loop, lambda: self._late(node))
        deadline.set(timeout_ms / 1000)
        try:
            connection._writer.write(message)  # noqa: SLF001
        except (OSError, RuntimeError):  # The second is uvloop's, of one that has just ended.
            connection.close(reason=CloseReason.CONNECTION_BROKEN)  # It fails what it awaits.

    def _late(self, node: int) -> None:
        connection = self._connection(node)
        if connection is not None:
            connection.close(reason=CloseReason.CONNECTION_TIMEOUT)

    def answered(self, node: int, batches: Batches, answer: Any) -> None:  # noqa: ANN401
        """What Kafka or the connection says of a request."""
        self._deadlines[node].clear()
        if self._has_ended:
            return
        if type(answer) is not list:
            task = self._loop.create_task(self._settle(node, batches, answer))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)
            return
        for place in answer:
            batches[place].stored()
        self._over(node, batches)
        self._send()

    def _over(self, node: int, batches: Batches) -> None:
        self._in_flight.discard(node)
        self._muted_partitions.difference_update(batches)

    async def _settle(self, node: int, batches: Batches, answer: Any) -> None:  # noqa: ANN401
        """aiokafka decides what fails, and what is sent again."""
        handler = SendProduceReqHandler(self, batches)
        handler._client = _Known(self.client, answer)  # noqa: SLF001
        try:
            await handler.do(node)
        finally:
            self._over(node, batches)
        self._send()


class _Answer:
    """The future of a request's answer, as aiokafka's connection sees it."""

    __slots__ = ("_batches", "_is_known", "_node", "_sender")

    def __init__(self, sender: QuickSender, node: int, batches: Batches) -> None:
        self._sender = sender
        self._node = node
        self._batches = batches
        self._is_known = False

    def done(self) -> bool:
        return self._is_known

    def set_result(self, answer: Any) -> None:  # noqa: ANN401
        self._is_known = True
        self._sender.answered(self._node, self._batches, answer)

    set_exception = set_result


class _Known:
    """aiokafka's client, to one that sends a request whose answer is known."""

    def __init__(self, client: Any, answer: Any) -> None:  # noqa: ANN401
        self._answer = answer
        self.force_metadata_update = client.force_metadata_update
        self._maybe_wait_metadata = client._maybe_wait_metadata  # noqa: SLF001

    async def send(self, _node: int, _request: Any) -> Any:  # noqa: ANN401
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer
