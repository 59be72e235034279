"""A far end that does whatever it is told, and the thin client of it."""

import asyncio
import socket
import ssl
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Self

from consumers.delivery.destination import Reply, Request
from consumers.http.http1 import Http1

REQUEST = Request("/v1/events", {"authorization": "Bearer k"}, b"{}")
TIMEOUT_SECONDS = 120.0  # Nobody is that slow, on a busy machine either.
LINGER_ZERO = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Say:
    """The bytes of an answer, and what becomes of the connection."""

    words: bytes
    then: Literal["keep", "close", "half-close", "reset"] = "keep"
    pieces: int = 0  # Above 0: so many bytes at a time.
    unasked: bool = False  # Before the request was read.


@dataclass
class FarEnd:
    """Answers each request with the next of its lines."""

    lines: Iterable[Say]
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    has_heard: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._next = iter(self.lines)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                line = next(self._next)
                if not line.unasked:
                    size = int(head.lower().rpartition(b"content-length: ")[2])
                    self.requests.append(head + await reader.readexactly(size))
                    self.has_heard.set()
                await self._say(line, writer)
                if line.unasked:
                    await reader.read()  # Until the client leaves.
                if line.then == "close":
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # The client left.
        finally:
            writer.close()

    async def _say(self, line: Say, writer: asyncio.StreamWriter) -> None:
        step = line.pieces or len(line.words) or 1
        for start in range(0, len(line.words), step):
            writer.write(line.words[start : start + step])
            await writer.drain()
            await asyncio.sleep(0)
        if line.then == "half-close":
            writer.write_eof()
        elif line.then == "reset":
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            writer.transport.abort()


class Ends:
    """A far end, listening, and a client of it."""

    def __init__(
        self,
        *lines: Say,
        timeout_seconds: float = TIMEOUT_SECONDS,
        server_tls: ssl.SSLContext | None = None,
        client_tls: ssl.SSLContext | None = None,
    ) -> None:
        self.far = FarEnd(lines)
        self._timeout_seconds = timeout_seconds
        self._server_tls, self._client_tls = server_tls, client_tls

    async def __aenter__(self) -> Self:
        tls = self._server_tls
        self._server = await asyncio.start_server(self.far.serve, "127.0.0.1", 0, ssl=tls)
        port = self._server.sockets[0].getsockname()[1]
        url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
        self.client = Http1(url, timeout_seconds=self._timeout_seconds, tls=self._client_tls)
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.__aexit__(None, None, None)
        self._server.close()

    async def send(self, request: Request = REQUEST) -> Reply:
        return await self.client.send(request)
