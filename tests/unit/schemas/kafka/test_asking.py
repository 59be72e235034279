"""What aiokafka's client is told of a connection, on the loop that our processes run on."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.admin import ApiVersionRequest

from schemas.kafka.asking import Connection
from tests.eventually import DEADLINE_SECONDS


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
