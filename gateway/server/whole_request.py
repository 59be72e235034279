"""A request and its answer as ASGI has them, and both at once for a request that is all there.

uvicorn writes an answer's head and its body as two packets, and checks each header. One write of a
head that is known to be valid costs 20 µs less a request.
"""

import asyncio
from asyncio import Event
from collections.abc import Coroutine, Sequence
from functools import lru_cache
from typing import Any, Protocol

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from gateway.edge.answers import Send
from gateway.http.bodies import WHOLE_BODY, Receive, WholeRequest
from gateway.server.request_targets import target_of

UNAWAITED = Event()  # Of requests without a task.
ASGI = {"version": "3.0", "spec_version": "2.3"}


class Serve(Protocol):
    """An application."""

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None: ...
    def begin(self, whole: WholeRequest) -> bool:
        """Whether the request is served from now on; it is not answered in this step."""


class Cycle(RequestResponseCycle):
    """uvicorn's, which a `WholeRequest` is, too."""

    tasks: set[Any]  # The server's.
    # What uvicorn's own sets for each request, and what it is told that is the same for all: so
    # making one takes two fifths of the time.
    access_log = disconnected = response_started = response_complete = False
    more_body = True
    chunked_encoding = None
    expected_content_length = 0

    def __init__(self, connection: HttpToolsProtocol, *, ends: bool, is_last: bool) -> None:
        self.scope = connection.scope
        self.transport = connection.transport
        self.flow = connection.flow
        self.logger = connection.logger
        self.access_logger = connection.access_logger
        self.default_headers = connection.server_state.default_headers
        self.tasks = connection.tasks
        self.on_response = connection.on_response_complete
        self.message_event = UNAWAITED
        self.waiting_for_100_continue = connection.expect_100_continue
        self.ends = ends  # The client's last one on this connection.
        self.keep_alive = not ends and not is_last
        self.body = bytearray()

    def grow(self, body: bytes) -> None:
        """A part of its body has come."""
        self.body += body
        if len(self.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.message_event.set()

    def in_task(self) -> None:
        """An application is called for it from now on, which may await its body."""
        self.message_event = Event()
        if self.body:
            self.message_event.set()
        if not self.more_body:
            self.is_whole()

    def is_whole(self) -> None:
        """Its body has come: from now on it may be taken and answered as a whole."""
        self.scope["extensions"] = {WHOLE_BODY: self}  # type: ignore[dict-item]  # ASGI knows only dicts there.
        self.message_event.set()

    def take(self) -> bytes:
        """Its body, once; also if the client is gone: some send, close, and read no answer."""
        if self.flow.read_paused:
            self.flow.resume_reading()
        body = bytes(self.body)
        self.body = bytearray()
        return body

    def answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Write the answer at once, if possible; if not, ASGI waits until it is."""
        if self.flow.write_paused or self.response_started:
            return False
        if self._is_gone():
            self._forget()
            return True
        head = _head(status, (*self.default_headers, *headers))
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.transport.write(b"".join((head, end, body)))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
        self._forget()
        return True

    def run(self, rest: Coroutine[Any, Any, None]) -> None:
        """Await the rest of serving it, in a task, as of an application."""
        self.in_task()
        task = asyncio.get_running_loop().create_task(self.run_asgi(lambda *_: rest))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def send(self, message: Any) -> None:  # noqa: ANN401  As uvicorn's.
        while self.flow.write_paused and not self._is_gone():
            await self.flow.drain()  # The connection may be lost meanwhile.
        self._is_gone()
        await super().send(message)
        if self.ends and self.more_body:
            # Closed before all of the body has come, the client would lose the answer: urllib's
            # clients, as Amplitude's for Python, send all before they read.
            self.keep_alive = True

    def _forget(self) -> None:
        """It refers to its scope and its connection, and these to it: break the cycles."""
        self.scope.pop("extensions", None)
        self.on_response = _nothing

    def _is_gone(self) -> bool:
        """uvicorn is told a step later than the transport, and not for a request before others."""
        self.disconnected = self.disconnected or self.transport.is_closing()
        return self.disconnected


def _nothing() -> None:
    """Nobody has to be told."""


@lru_cache(maxsize=256)  # Most answers of a second are alike.
def _head(status: int, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return STATUS_LINE[status] + b"".join([b"%b: %b\r\n" % header for header in headers])


def cycle_of(connection: HttpToolsProtocol, *, is_last: bool) -> Cycle:
    """That of the request whose head was read, as uvicorn makes it in twice the time."""
    version = connection.parser.get_http_version()
    path, raw_path, query = target_of(connection.url)
    connection.scope = {
        "type": "http",
        "asgi": ASGI,  # type: ignore[typeddict-item]
        "http_version": version,
        "server": connection.server,
        "client": connection.client,
        "scheme": connection.scheme or "http",
        "method": connection.parser.get_method().decode("ascii"),
        "root_path": "",
        "path": path,
        "raw_path": raw_path,
        "query_string": query,
        "headers": connection.headers.copy(),  # Trailers come later, and are no headers.
        "state": connection.app_state.copy(),
    }
    ends = version == "1.0" or not connection.parser.should_keep_alive()
    return Cycle(connection, ends=ends, is_last=is_last)
