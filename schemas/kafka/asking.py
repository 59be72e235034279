"""aiokafka's client of every consumer, producer and admin of the process, with what its own omits.

It reads the errors of partitions only. An answer about committed offsets that has an error of its
own, as that of a coordinator which still loads, names no partition: it would look as if the group
had committed nothing, and all would be read, and sent, from the beginning again.

It asks for metadata in a task which ends at any error that it does not know. Then whoever waits for
metadata waits for ever: a group would not be joined again after Kafka was away.

It does not know uvloop's error of writing to a connection that has ended a moment ago.

And it uses a connection until its login has ended (KIP-368), as with a token, or where the cluster
limits sessions. Kafka closes it at the next request, and what is in flight fails: a group looks for
its coordinator again, a batch is sent again, and each says so. So a connection is replaced before,
once what it awaits has been answered.

It waits 40 s for whatever it asks. A broker that hangs, or a network that drops what is sent, would
hold up for as long what has another leader after a few seconds. So there is a shorter limit to
connect, and to ask who leads; a broker that the others do not name any more is asked nothing more;
and the system looks whether the other end of a connection is there.
"""

import asyncio
import socket
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

import aiokafka.admin.client
import aiokafka.conn
import aiokafka.consumer.consumer
import aiokafka.producer.producer
import structlog
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, NoError, for_code
from aiokafka.protocol.admin import SaslAuthenticateRequest
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.metadata import MetadataRequest

from schemas.cancellation import is_cancelled, lasting

AGAIN_SECONDS = 1.0
BOOTSTRAP = "bootstrap"  # In place of a node's number: which one it is is not known yet.
CONNECT_SECONDS = 15.0  # With TLS and the login, for which a token may have to be fetched.
METADATA_SECONDS = 5.0  # Of topics that are named: then the answer is short.
ALL_METADATA_SECONDS = 15.0  # Of all topics, which a producer asks about.
# The other end says nothing for so long to what is sent, or to whether it is there.
SILENT_SECONDS = 10
REPLACED_AT = 0.85  # Of the life of a login; Kafka's own clients log in again from then on.
log = structlog.get_logger()


class Connection(AIOKafkaConnection):  # type: ignore[misc]  # aiokafka has no types.
    _ending: asyncio.TimerHandle | None = None  # Of a login that ends. It holds the connection.
    _is_replaced = False  # It takes no more requests.

    async def connect(self) -> Any:  # noqa: ANN401  aiokafka's own.
        async with asyncio.timeout(CONNECT_SECONDS):
            opened = await super().connect()
        watch(self._writer.get_extra_info("socket"))
        return opened

    def send(self, request: object, **named: Any) -> Any:  # noqa: ANN401  aiokafka's own.
        with self._writing():
            answer = super().send(request, **named)
        if isinstance(request, SaslAuthenticateRequest):
            return self._login(answer)
        if isinstance(request, MetadataRequest):
            are_named = bool(request._topics)  # noqa: SLF001
            seconds = METADATA_SECONDS if are_named else ALL_METADATA_SECONDS
            return asyncio.wait_for(answer, seconds)
        return answer

    async def _login(self, answer: Awaitable[Any]) -> Any:  # noqa: ANN401  aiokafka has no types.
        """What answers a step of a login: the last one says whether, and when, it ends."""
        told = await answer
        seconds = getattr(told, "session_lifetime_ms", 0) / 1000  # Version 0 has none.
        if seconds > 0:
            loop = asyncio.get_running_loop()
            self._ending = loop.call_later(REPLACED_AT * seconds, self._replace, seconds)
        return told

    def _replace(self, seconds: float) -> None:
        """Whoever asks next opens another; this one lasts until what it awaits has come."""
        self._is_replaced = True
        # It cannot be reached to be closed when a request takes too long.
        rest = min((1 - REPLACED_AT) * seconds, self._request_timeout)
        self._ending = asyncio.get_running_loop().call_later(rest, self.close)
        self._close_if_idle()

    def connected(self) -> bool:
        return not self._is_replaced and super().connected()

    def _handle_frame(self, answer: bytes) -> None:
        super()._handle_frame(answer)
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._is_replaced and not self._requests:
            self.close()

    def close(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  aiokafka's own.
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        return super().close(*arguments, **named)

    def _send_sasl_token(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  As above.
        with self._writing():
            return super()._send_sasl_token(*arguments, **named)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """uvloop raises `RuntimeError` where asyncio drops what is written."""
        try:
            yield
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"connection to Kafka has ended: {error}") from error


def watch(connection: socket.socket) -> None:
    """It breaks when nothing comes from its other end, which may be gone without a word."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", SILENT_SECONDS // 2),
        ("TCP_KEEPINTVL", SILENT_SECONDS // 4),
        ("TCP_USER_TIMEOUT", SILENT_SECONDS * 1000),
    ):
        if (option := getattr(socket, name, None)) is not None:  # Not every system has them.
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


class Client(AIOKafkaClient):  # type: ignore[misc]  # aiokafka has no types.
    _md_update_fut: asyncio.Future[bool] | None  # What those wait on that wait for metadata.

    async def send(self, node_id: object, request: object, **named: object) -> Any:  # noqa: ANN401
        """Raises `KafkaError`, also for the error of a whole answer about committed offsets."""
        answer = await super().send(node_id, request, **named)
        if isinstance(request, OffsetFetchRequest):
            error = for_code(getattr(answer, "error_code", 0))  # Versions 0 and 1 have none.
            if error is not NoError:
                raise error("the offsets of the group cannot be read")
        return answer

    async def _metadata_update(self, cluster: object, topics: object) -> bool:
        is_new: bool = await super()._metadata_update(cluster, topics)
        if is_new and cluster is self.cluster:
            self._leave_the_gone()
        return is_new

    def _leave_the_gone(self) -> None:
        """What is asked of brokers that are gone fails now, and is asked of others."""
        there = {broker.nodeId for broker in self.cluster.brokers()}
        for (node, _), connection in list(self._conns.items()):
            if node not in there and node != BOOTSTRAP:
                connection.close()

    async def _md_synchronizer(self) -> None:
        """Ask for metadata, for as long as the client is open."""
        while not is_cancelled():
            try:
                await lasting(super()._md_synchronizer)
            except Exception as error:  # noqa: BLE001  Whatever it was, the next answer may be good.
                log.warning("metadata of Kafka cannot be used, asking again", error=repr(error))
            self._tell(is_new=False)
            await asyncio.sleep(AGAIN_SECONDS)

    def _tell(self, *, is_new: bool) -> None:
        """Those that wait for metadata go on, and may ask again."""
        waiting, self._md_update_fut = self._md_update_fut, None
        if waiting is not None and not waiting.done():
            waiting.set_result(is_new)


aiokafka.conn.AIOKafkaConnection = Connection
for module in (aiokafka.admin.client, aiokafka.consumer.consumer, aiokafka.producer.producer):
    module.AIOKafkaClient = Client
