"""A client of a real edge that reads what it gets byte by byte."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import uvicorn

from gateway.server.connections import Connection
from gateway.server.crowd import Crowd
from tests.eventually import DEADLINE_SECONDS
from tests.loopback import hang_up
from tests.unit.gateway.memory import EVENT, Edge

BODY = json.dumps(EVENT).encode()
AUTH = b"Host: edge\r\nAuthorization: Bearer secret\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def request(
    body: bytes = BODY, *, head: bytes = b"", version: bytes = b"1.1", length: int | None = None
) -> bytes:
    size = len(body) if length is None else length
    line = b"POST /v1/events HTTP/%b\r\n" % version
    return line + AUTH + head + b"Content-Length: %d\r\n\r\n" % size + body


@contextlib.asynccontextmanager
async def serving(edge: Edge) -> AsyncIterator[int]:
    http: Any = partial(Connection, crowd=Crowd(edge.ingest.budget))
    settings = uvicorn.Config(
        edge.app,
        http=http,
        ws="none",
        proxy_headers=False,
        log_level="error",
        host="127.0.0.1",
        port=0,
    )
    server = uvicorn.Server(settings)
    listener = settings.bind_socket()
    listener.listen()
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    def sends_no_more(self) -> None:
        self._writer.write_eof()

    async def flood(self, head: bytes, piece: bytes) -> None:
        await self.send(head)
        for _ in range(2_000):
            await self.send(piece)
            await asyncio.sleep(0)  # The server has this loop, too.

    async def answer(self, *, bodiless: bool = False) -> Answer:
        async with asyncio.timeout(DEADLINE_SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            pairs = (line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            length = 0 if bodiless else int(headers.get("content-length", 0))
            return Answer(int(head[0].split()[1]), headers, await self._reader.readexactly(length))

    async def ended(self) -> bool:
        async with asyncio.timeout(DEADLINE_SECONDS):
            try:
                return await self._reader.read() == b""
            except ConnectionResetError:
                return True


@contextlib.asynccontextmanager
async def talking(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        await hang_up(writer)
