"""HTTP/1.1 over kept-alive connections: for destinations that take one event a request.

Theory of operation: a connection has one request at a time, and is idle again when the answer is
complete and no bytes are left over. The most recently used one is taken first, so the others stay
idle and are closed; none is used for longer than `AGE_SECONDS`. The engine's limit of requests in
flight limits their number. One timer checks all deadlines: a timer for each request would cost
more.

Nothing is sent twice here. When a connection breaks, the destination may have stored the request,
even if no byte of an answer came. The engine decides whether to send it again, and counts that.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from consumers.delivery.destination import Reply, Request, Response, Unreachable
from consumers.http.answer import Answer, InvalidAnswerError
from consumers.http.connecting import Host
from consumers.http.replies import INVALID

CONNECT_SECONDS = 10.0
AGE_SECONDS = 300.0  # So that a changed address of the host is noticed.
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
        self._open: set[_Connection] = set()
        self._idle: list[_Connection] = []
        self._all_closed = asyncio.Event()

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

    async def send(self, request: Request) -> Reply:
        now = self._loop.time()
        connection = self._take(now) or await self._connect()
        if isinstance(connection, Unreachable):
            return connection
        size = len(request.body)
        message = b"%b%d\r\n\r\n%b" % (self._head(request), size, request.body)
        try:
            return await connection.exchange(message, now + self._timeout_seconds)
        except asyncio.CancelledError:
            connection.close("connection_broken")  # It received bytes that no request asked for.
            raise

    def _head(self, request: Request) -> bytes:
        """The request up to the value of `content-length`: the same for each request of a path."""
        known = self._heads.get(request.path)
        if known is not None and known[0] is request.headers:
            return known[1]
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

    def _take(self, now: float) -> "_Connection | None":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_usable(now):
                return connection
            connection.close("connection_broken")
        return None

    async def _connect(self) -> "_Connection | Unreachable":
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

    async def _speak_http(self, connected: socket.socket) -> "_Connection":
        name = self._name if self._tls is not None else None
        _, connection = await self._loop.create_connection(
            lambda: _Connection(self), sock=connected, ssl=self._tls, server_hostname=name
        )
        return connection

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in list(self._open):
            connection.look_at_clock(now)
        self._sweeper = self._loop.call_later(self._sweep_seconds, self._sweep)

    # Called by the connections.

    def opened(self, connection: "_Connection") -> float:
        self._open.add(connection)
        return self._loop.time()

    def free(self, connection: "_Connection") -> float:
        self._idle.append(connection)
        return self._loop.time()

    def closed(self, connection: "_Connection") -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._open:
            self._all_closed.set()


class _Connection(asyncio.Protocol):
    """One request at a time, and its answer."""

    _transport: asyncio.Transport

    def __init__(self, pool: Http1) -> None:
        self._pool = pool
        self._answer = Answer()
        self._reply: asyncio.Future[Reply] | None = None
        self._deadline = 0.0

    def is_usable(self, now: float) -> bool:
        """Whether the next request may use it."""
        return (
            now <= self._idle_until and now <= self._too_old_at and not self._transport.is_closing()
        )

    def exchange(self, message: bytes, deadline: float) -> "asyncio.Future[Reply]":
        assert self._reply is None, "a connection carries one request at a time"
        self._answer.expect()
        self._deadline = deadline
        self._reply = reply = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():  # It was lost after it was opened.
            reply.set_result(Unreachable("connect_failed"))
        else:
            self._transport.write(message)
        return reply

    def look_at_clock(self, now: float) -> None:
        if self._reply is not None:
            if now > self._deadline:
                self.close("timeout")
        elif not self.is_usable(now):
            self.close("connection_broken")

    def close(self, reason: str) -> None:
        """End the request, if there is one, with this reason."""
        reply, self._reply = self._reply, None
        if reply is not None and not reply.done():
            reply.set_result(Unreachable(reason))
        self._transport.abort()

    # Called by asyncio.

    def connection_made(  # type: ignore[override]  # uvloop's transports are none by class.
        self, transport: asyncio.Transport
    ) -> None:
        self._transport = transport
        now = self._pool.opened(self)
        self._too_old_at = now + AGE_SECONDS
        self._idle_until = now + self._answer.idle_seconds

    def data_received(self, data: bytes) -> None:
        if self._reply is None:
            self.close(INVALID.reason)  # Bytes without a request.
            return
        try:
            self._answer.feed(data)
        except InvalidAnswerError:
            self.close(INVALID.reason)
            return
        if self._answer.is_complete:
            self._answered()

    def eof_received(self) -> None:
        self._answer.end()
        if self._reply is not None and self._answer.is_complete:
            self._answered()

    def connection_lost(self, _error: Exception | None) -> None:
        self.close("connection_broken")
        self._pool.closed(self)

    def _answered(self) -> None:
        reply, self._reply = self._reply, None
        is_sent = not self._transport.get_write_buffer_size()
        if reply is not None and not reply.done():
            answer = self._answer.reply()
            # A request not sent to its end is not stored; the server may have refused it early.
            is_hasty = not is_sent and isinstance(answer, Response) and answer.status < 300
            reply.set_result(INVALID if is_hasty else answer)
        # The unsent rest would precede the next request.
        if self._answer.is_last or not is_sent:
            self._transport.abort()
        elif not self._transport.is_closing():
            self._idle_until = self._pool.free(self) + self._answer.idle_seconds


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
