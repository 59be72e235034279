"""What aiokafka's client is told of a connection, on the loop that our processes run on."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest
from aiokafka.protocol.metadata import MetadataRequest

from schemas.kafka import asking
from schemas.kafka.asking import Connection
from tests.eventually import DEADLINE_SECONDS

NEVER_MS = int(1000 * DEADLINE_SECONDS)


async def ended() -> Connection:
    """A connection that has ended, which its reader has not found out yet."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = Connection("127.0.0.1", port)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.transport.abort()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    server.close()
    connection._reader, connection._writer = reader, writer
    connection._read_task = asyncio.create_task(asyncio.sleep(0))
    return connection


def request(connection: Connection) -> object:
    return connection.send(ApiVersionRequest())


def token(connection: Connection) -> object:
    return connection._send_sasl_token(b"token")


@pytest.mark.parametrize("write", [request, token])
def test_writing_to_a_connection_that_has_just_ended_is_an_error_of_kafka(
    write: Callable[[Connection], object],
) -> None:
    async def writing() -> None:
        connection = await ended()
        with pytest.raises(KafkaConnectionError):
            write(connection)
        assert not connection.connected()

    uvloop.run(writing())


async def test_a_replaced_connection_lasts_no_longer_than_a_request_may_take() -> None:
    """Whoever waits for an answer over it cannot close it: it is not the client's any more."""
    answer, is_over = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        is_over.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server, asyncio.timeout(DEADLINE_SECONDS):
        port = server.sockets[0].getsockname()[1]
        connection = Connection("127.0.0.1", port, request_timeout_ms=10)
        connection._reader, connection._writer = await asyncio.open_connection("127.0.0.1", port)
        connection._read_task = asyncio.create_task(asyncio.Event().wait())
        connection._requests.append((1, None, answer))
        connection._replace(3600.0)

        with pytest.raises(KafkaConnectionError):
            await answer
        await is_over.wait()


@asynccontextmanager
async def hanging() -> AsyncIterator[int]:
    """The port of a broker that takes connections, and says nothing."""
    over = asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        over.set()


async def test_a_broker_that_hangs_as_it_is_connected_to_does_not_keep_from_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "CONNECT_SECONDS", 0.05)
    async with hanging() as port, asyncio.timeout(DEADLINE_SECONDS):
        connection = Connection("127.0.0.1", port, request_timeout_ms=2 * NEVER_MS)
        with pytest.raises(TimeoutError):
            await connection.connect()
        assert not connection.connected()


@pytest.mark.parametrize("topics", [["events"], None])  # Named, or all: so a producer asks.
async def test_a_broker_that_hangs_as_it_is_asked_who_leads_does_not_keep_from_others(
    topics: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "METADATA_SECONDS", 0.05)
    monkeypatch.setattr(asking, "ALL_METADATA_SECONDS", 0.05)
    async with hanging() as port, asyncio.timeout(DEADLINE_SECONDS):
        connection = Connection("127.0.0.1", port, request_timeout_ms=NEVER_MS)
        connection._reader, connection._writer = await asyncio.open_connection("127.0.0.1", port)
        connection._read_task = asyncio.create_task(asyncio.Event().wait())
        connection._versions = {MetadataRequest.API_KEY: (0, 5)}
        with pytest.raises(TimeoutError):
            await connection.send(MetadataRequest(topics))
        connection.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has it")
def test_the_system_breaks_a_connection_whose_other_end_is_gone() -> None:
    async def options() -> tuple[bool, int]:
        async with hanging() as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            found = writer.get_extra_info("socket")
            asking.watch(found)
            looks = bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
            after = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            writer.close()
            return looks, after

    assert uvloop.run(options()) == (True, 1000 * asking.SILENT_SECONDS)
