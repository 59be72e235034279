"""HTTP/1.1 over kept-alive connections: for destinations that take one event a request.

Theory of operation: a connection has one request at a time, and is idle again when the answer is
complete and no bytes are left over. The most recently used one is taken first, so the others stay
idle and are closed; none is used for longer than `AGE_SECONDS`. The engine's limit of requests in
flight limits their number. One timer checks all deadlines: a timer for each request would cost
more. An answer with the bytes of the last one, as most successes of a second have, is not parsed
again.

Nothing is sent twice here. When a connection breaks, the destination may have stored the request,
even if no byte of an answer came. The engine decides whether to send it again, and counts that.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from consumers.delivery.destination import Reply, Request, Unreachable
from consumers.http.connecting import Host
from consumers.http.connection import Connection
from consumers.http.replies import NO_USUAL
from schemas.http.client import CONNECT_SECONDS

SWEEP_SECONDS = 1.0
CLOSE_SECONDS = 1.0


class Http1:
    """Kept-alive connections to one destination."""

    def __init__(
        self, base_url: str, *, timeout_seconds: float, tls: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(base_url)
        self._name = parts.hostname or ""
        self._host = Host(self._name, parts.port or (443 if parts.scheme == "https" else 80))
        self._authority = parts.netloc.rpartition("@")[2]
        self._prefix = parts.path.rstrip("/")
        self._timeout_seconds = timeout_seconds
        self._sweep_seconds = min(SWEEP_SECONDS, timeout_seconds / 10)
        self._tls = (tls or _tls_context()) if parts.scheme == "https" else None
        self._heads: dict[str, tuple[Mapping[str, str], bytes]] = {}
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []
        self._all_closed = asyncio.Event()
        self.usual = NO_USUAL

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._sweeper = self._loop.call_later(self._sweep_seconds, self._sweep)
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self._sweeper.cancel()
        for connection in list(self._open):
            connection.close("connection_broken")
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._open:
                    self._all_closed.clear()
                    await self._all_closed.wait()
        except TimeoutError:
            pass  # Lookups end with the process.

    def begin(self, request: Request, replied: Callable[[Reply], None]) -> bool:
        """Send it now, if a connection is idle; `replied` is called once, later.

        A task and a future for each request take a seventh of the CPU time of such a delivery.
        """
        message, now = self._message(request), self._loop.time()
        connection = self._take(now)
        if connection is None:
            return False
        connection.exchange(message, now + self._timeout_seconds, replied)
        return True

    async def send(self, request: Request) -> Reply:
        now = self._loop.time()
        connection = self._take(now) or await self._connect()
        if isinstance(connection, Unreachable):
            return connection
        reply: asyncio.Future[Reply] = self._loop.create_future()

        def replied(answer: Reply) -> None:
            if not reply.done():
                reply.set_result(answer)

        connection.exchange(self._message(request), now + self._timeout_seconds, replied)
        try:
            return await reply
        except asyncio.CancelledError:
            connection.close("connection_broken")  # It received bytes that no request asked for.
            raise

    def _message(self, request: Request) -> bytes:
        headers, head = self._heads.get(request.path, (None, b""))
        if headers is not request.headers:
            head = self._head(request)
        return b"%b%d\r\n\r\n%b" % (head, len(request.body), request.body)

    def _head(self, request: Request) -> bytes:
        """The request up to the value of `content-length`: the same for each request of a path."""
        headers = {
            "host": self._authority,
            "user-agent": "ampgate",
            "accept": "*/*",
            "accept-encoding": "identity",  # Without it, any may be sent (RFC 9110 §12.5.3).
            **request.headers,
        }
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        start = f"POST {self._prefix}{request.path} HTTP/1.1\r\n"
        head = f"{start}{''.join(lines)}content-length: ".encode()
        self._heads[request.path] = (request.headers, head)
        return head

    def _take(self, now: float) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable(now):
                return connection
            connection.close("connection_broken")
        return None

    async def _connect(self) -> Connection | Unreachable:
        try:
            async with asyncio.timeout(min(CONNECT_SECONDS, self._timeout_seconds)):
                connected = await self._host.connect()
                try:
                    return await self._speak_http(connected)
                except BaseException:
                    connected.close()  # uvloop may leave it open.
                    raise
        except Exception:  # noqa: BLE001  OSError, ValueError, uvloop's RuntimeError: nothing was sent.
            return Unreachable("connect_failed")

    async def _speak_http(self, connected: socket.socket) -> Connection:
        name = self._name if self._tls is not None else None
        transport, connection = await self._loop.create_connection(
            lambda: Connection(self), sock=connected, ssl=self._tls, server_hostname=name
        )
        if transport.is_closing():
            raise ConnectionError("it was lost after it was opened")
        return connection

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in list(self._open):
            connection.look_at_clock(now)
        self._sweeper = self._loop.call_later(self._sweep_seconds, self._sweep)

    # Called by the connections.

    def opened(self, connection: Connection) -> float:
        self._open.add(connection)
        return self._loop.time()

    def free(self, connection: Connection) -> float:
        self._idle.append(connection)
        return self._loop.time()

    def closed(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._open:
            self._all_closed.set()


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
