"""One client's connection: uvicorn's HTTP/1.1, with limits on what is not yet a request.

uvicorn reads headers for as long and as large as they come, cuts off idle connections at the first
word of a shutdown, and says what it refuses in plain text. Here each of these has a limit, a grace
or a body that SDKs can read (upstreams.md §3.4: never close without a status line).
"""

from asyncio import AbstractEventLoop, Transport
from asyncio.events import TimerHandle
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.answers import error_body
from gateway.bodies import WHOLE_BODY
from gateway.whole import Whole

HEAD_SECONDS = 10.0
HEAD_BYTES_MAX = 65_536  # Beyond the first read, of all that is neither body nor its framing.
FRAMING_SHARE = 8  # A chunk of one byte has six bytes of framing.
LINGER_SECONDS = 5.0  # In which a client may still send the body that was refused.
LEAVE_SECONDS = 1.0  # In which a request that is on its way at a shutdown still arrives.


class Connection(HttpToolsProtocol):
    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._in_head = False
        self._in_message = False
        self._overhead = 0
        self._deadline: TimerHandle | None = None
        self._leaving = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # As uvicorn's.
        super().connection_made(transport)
        self._await(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._await(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._overhead += len(data)  # Until a body or a new message in it shows what it was.
        self._unset_keepalive_if_required()
        self._feed(data)
        if self._overhead > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._refuse(431, "the headers are too large")
        if self._deadline is None and (self._in_head or self._is_forgotten()):
            self._await(HEAD_SECONDS)

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except HttpParserError:
            self._refuse(400, "this is no HTTP request")
        except HttpParserUpgrade as upgrade:
            self._decline(data[upgrade.args[0] :])

    def _decline(self, rest: bytes) -> None:
        """Read a request that offers another protocol, as Java's client does, as if it did not.

        httptools would leave its body unread.
        """
        offer = (b"connection", b"upgrade", b"http2-settings")
        lines = [b": ".join(header) for header in self.headers if header[0] not in offer]
        first = self.parser.get_method() + b" " + self.url + b" HTTP/1.1"
        self.parser = HttpRequestParser(self)
        self._feed(b"\r\n".join([first, *lines, b"", rest]))

    def _is_forgotten(self) -> bool:
        """Whether only empty lines came: they end uvicorn's keep-alive, and start no request."""
        idle = not self._in_message and (self.cycle is None or self.cycle.response_complete)
        return idle and self.timeout_keep_alive_task is None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._overhead = 0
        self._in_head = self._in_message = True

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise ValueError("this is no proxy")
            return
        self._in_head = False
        if self._deadline is not None:
            self._await(None)
        super().on_headers_complete()
        if self._leaving:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._overhead = max(0, self._overhead - FRAMING_SHARE * len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._in_message = False
        if self._deadline is not None:
            self._await(None)
        self.scope["extensions"] = {WHOLE_BODY: Whole(self.cycle)}  # type: ignore[dict-item]  # ASGI knows only dicts there.
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._in_message and not self._in_head and self.cycle.response_complete:
            self._await(LINGER_SECONDS)  # It was refused before its body was read.

    def shutdown(self) -> None:
        """Answer what is being answered, or comes within a moment, and close then."""
        if self.cycle is None or self.cycle.response_complete:
            self._leaving = True
            self._await(LEAVE_SECONDS)
        else:
            self.cycle.keep_alive = False

    def _refuse(self, status: int, words: str) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering and (self._in_head or not self._in_message):
            # The request before it is answered first, and is the last one.
            self.cycle.keep_alive = False
            self.flow.pause_reading()
            return
        # Answers may not get mixed up; without its own, a client sends again.
        if not answering or not (self.pipeline or self.cycle.response_started):
            body = error_body(status, words)
            head = (
                b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[status] + head % len(body) + body)
        self.transport.close()

    def _await(self, seconds: float | None) -> None:
        """Give the client so long for the next step; None when it has been taken."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self._in_head and not self._leaving:
            self._refuse(408, f"the headers took more than {HEAD_SECONDS:g} s")
        else:
            self.transport.close()
