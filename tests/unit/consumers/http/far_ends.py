"""Servers that answer as they are told, for tests of the HTTP clients."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from consumers.delivery.destination import Reply, Request, Response
from consumers.http.client import Http, Sender
from consumers.http.http1 import Http1
from tests.unit.consumers.http.http1_ends import TIMEOUT_SECONDS, FarEnd, Say

REQUEST = Request("/v1/events", {"authorization": "Bearer k"}, b"{}")
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull"
GOOD = Response(200, b"null")


class New(Protocol):
    """Makes one of our two HTTP clients."""

    def __call__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Sender: ...


def pyreqwest(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Sender:
    return Http(url, timeout_seconds=timeout_seconds)


def http1(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Sender:
    return Http1(url, timeout_seconds=timeout_seconds)


CLIENTS: Mapping[str, New] = {"pyreqwest": pyreqwest, "http1": http1}
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    """Its URL; at the end, every connection has ended."""
    open_now: set[asyncio.Task[None]] = set()

    async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve_and_close(reader, writer))
        open_now.add(task)
        task.add_done_callback(open_now.discard)

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.gather(*open_now)


async def replies(new: New, *lines: Say, timeout_seconds: float = TIMEOUT_SECONDS) -> list[Reply]:
    """To one request after the other, one for each line."""
    async with listening(FarEnd(lines).serve) as url, new(url, timeout_seconds) as client:
        return [await reply(client) for _ in lines]


async def reply(client: Sender) -> Reply:
    """As the delivery sends it: without a task, where a connection is idle."""
    replied: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    if client.begin(REQUEST, replied.set_result):
        return await replied
    return await client.send(REQUEST)
