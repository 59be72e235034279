"""One client's connection: uvicorn's HTTP/1.1, with limits on what it may hold and for how long.

uvicorn has no such limits, parses all of a read before it answers, closes idle connections at once
at a shutdown, and refuses in plain text (amplitude-sdks.md#checklist-for-an-edge: SDKs need JSON).
"""

from asyncio import AbstractEventLoop, Transport
from typing import Any

from httptools import HttpParserError
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.server import refusal
from gateway.server.crowd import Crowd
from gateway.server.flow import Flow, Reader
from gateway.server.unparsed import AT_ONCE_BYTES, Unparsed, body_left, is_simple, piece_size
from gateway.server.upgrade_offers import feed
from gateway.server.whole_request import Cycle, Serve, cycle_of
from schemas.deadline import Deadline

HEAD_SECONDS = 10.0
FRAMING_SHARE = 8  # A chunk of one byte has six bytes of framing.
LINGER_SECONDS = 5.0  # Time in which a client may still send a refused body.
LEAVE_SECONDS = 1.0  # Time for requests that are on their way at a shutdown.


class Connection(HttpToolsProtocol):
    cycle: Cycle

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
        *,
        crowd: Crowd,
        connections_max: int = 10_000,
        app: Serve | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.app = app or self.app
        self._crowd = crowd
        self._most = connections_max
        self._in_head = self._in_body = False
        self._is_new = False  # Its head has come, and serving it has not begun.
        self._overhead = self._body_bytes = 0  # Of this message: besides body and framing; body.
        self.headers = []
        self._refusal = refusal.NO_REQUEST
        self._unparsed = Unparsed(crowd.budget)
        self._deadline = Deadline(self.loop, self._too_slow)
        self._idle = False  # Between an answer and the first byte that follows it.
        self._leaving = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # As uvicorn's.
        super().connection_made(transport)
        self.flow: Flow = Flow(transport)
        self._reader = Reader(transport, self.loop)
        self._crowd.unfinished[self] = now = self.loop.time()
        if len(self.connections) > self._most and not self._crowd.make_room(now):
            self.refuse(*refusal.CROWDED)
            return
        self._deadline.set(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.forget()
        self._reader.forget()
        self._crowd.leaves(self)
        self._unparsed.take()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._unparsed.is_behind:  # It was read before reading was paused.
            self._hold(data)
            return
        was_idle, self._idle = self._idle, False
        if was_idle:
            self._crowd.idle.pop(self, None)
        if is_simple(data) and not self.pipeline:
            self._feed(data)
        else:
            self._feed_in_pieces(memoryview(data))
        # No head came whole; empty lines begin one, too.
        if was_idle and self._deadline.due is not None:
            self._crowd.unfinished.setdefault(self, self.loop.time())
            self._deadline.set(HEAD_SECONDS)

    def _feed_in_pieces(self, data: memoryview) -> None:
        """Parse it, except requests behind those that wait for an answer."""
        while data and not self.transport.is_closing():
            if self.pipeline:
                self._hold(bytes(data))
                break
            left = body_left(self.headers, self._body_bytes) if self._in_body else 0
            size = piece_size(data, left)
            self._feed(data[:size])
            data = data[size:]

    def _hold(self, data: bytes) -> None:
        """Keep it until those before it are answered; without room, the connection closes then."""
        self.flow.hold_reading()
        if not self._unparsed.hold(data):
            self.cycle.keep_alive = False

    def _feed(self, data: bytes | memoryview) -> None:
        self._overhead += len(data)  # Until it is known to be a body or a new message.
        try:
            feed(self, data)
        except HttpParserError:
            self.refuse(*self._refusal)
        if self._is_new:  # Its body has not come whole.
            self._start_asgi_task(self.cycle, self.app)
        if self._overhead > refusal.HEAD_BYTES_MAX:
            self.refuse(*refusal.TOO_LARGE)
        elif len(self.headers) > refusal.HEADERS_MAX:
            self.refuse(*refusal.TOO_MANY)  # Some of them are trailers.
        if (self._in_head or self._in_body) and not self.transport.is_closing():
            self._crowd.unfinished.setdefault(self, self.loop.time())

    def on_message_begin(self) -> None:
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._overhead = self._body_bytes = 0
        self._in_head, self._in_body = True, False
        if self._deadline.due is None:  # It came in one read with the request before it.
            self._deadline.set(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        too_many = len(self.headers) > refusal.HEADERS_MAX
        # Bytes of its beginning that came in an earlier piece are not counted yet.
        may_be_large = self._overhead + AT_ONCE_BYTES > refusal.HEAD_BYTES_MAX
        if too_many or (may_be_large and refusal.is_too_large(self.url, self.headers)):
            self._refusal = refusal.TOO_MANY if too_many else refusal.TOO_LARGE
            raise ValueError("the parser stops with an error of its own")
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise ValueError("this is no proxy")
            return
        self._in_head, self._in_body = False, True
        self._deadline.clear()
        before, self.cycle = self.cycle, cycle_of(self, is_last=self._leaving)
        is_next = before is None or before.response_complete
        self._is_new = is_next and not self.transport.is_closing()  # RFC 9112 §9.6.
        if not self._is_new:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        self._overhead = max(0, self._overhead - FRAMING_SHARE * len(body))
        if not (self.parser.should_upgrade() or self.cycle.response_complete):
            self.cycle.grow(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._in_body = False
        self._crowd.unfinished.pop(self, None)
        self.cycle.more_body = False
        if self.cycle.response_complete:
            self._be_idle()  # It was refused before its body was read.
        elif self._is_new:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.cycle.is_whole()

    def _start_asgi_task(self, cycle: Cycle, app: Serve) -> None:  # type: ignore[override]  # All are ours.
        """Serve it, without a task if it has come whole and is a usual one."""
        self._is_new = False
        if cycle.more_body or not app.begin(cycle):
            cycle.in_task()
            super()._start_asgi_task(cycle, app)  # type: ignore[arg-type]  # Our scope is narrower.

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._reader.answered()
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())  # type: ignore[arg-type]  # All are ours.
        if self._unparsed.is_behind and self._unparsed and not self.pipeline:
            self._unparsed.is_behind = False
            self.flow.release_reading()
            self._feed_in_pieces(memoryview(self._unparsed.take()))
        if not self.cycle.response_complete:
            return
        if self._in_body:
            self._deadline.set(LINGER_SECONDS)  # It was refused before its body was read.
        elif not self._in_head:
            self._be_idle()

    def _be_idle(self) -> None:
        if self.cycle.ends:
            self.transport.close()
            return
        self._idle = True
        self._crowd.idle[self] = None
        self._deadline.set(self.timeout_keep_alive)

    def shutdown(self) -> None:
        """Answer requests that have arrived or arrive within a moment, then close."""
        if not self._closes_after_an_answer():
            self._leaving = True
            self._idle = False
            self._crowd.idle.pop(self, None)
            self._deadline.set(LEAVE_SECONDS)

    def eof_received(self) -> bool:  # type: ignore[override]  # As asyncio's.
        """The client sends no more; it may still read answers (RFC 9112 §9.6), but not over TLS."""
        return self.scheme == "http" and not self._in_body and self._closes_after_an_answer()

    def _closes_after_an_answer(self) -> bool:
        if self.cycle is None or self.cycle.response_complete:
            return False
        self.cycle.keep_alive = False
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reader.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reader.resumed()

    def refuse(self, status: int, words: str) -> None:
        if self.transport.is_closing():
            return
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and not self._in_body:
            # The request before it is answered first; then the connection closes.
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        # Answers must stay in order; without an answer, a client sends again.
        if not answering or not (self.pipeline or self.cycle.response_started):
            self.transport.write(refusal.answer(status, words))
        self.transport.close()
        self._reader.watch()

    def _too_slow(self) -> None:
        if self._in_head and not self._leaving:
            self.refuse(408, f"the headers took more than {HEAD_SECONDS:g} s")
        else:
            self.transport.close()
