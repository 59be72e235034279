"""One kept-alive HTTP/1.1 connection: a request at a time, and its answer."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from consumers.delivery.destination import Reply, Response, Unreachable
from consumers.http.answer import Answer, InvalidAnswerError
from consumers.http.replies import INVALID

AGE_SECONDS = 300.0  # So that a changed address of the host is noticed.


class Pool(Protocol):
    """Who has the connections; each call returns the loop's time, or nothing."""

    def opened(self, connection: "Connection") -> float: ...
    def free(self, connection: "Connection") -> float: ...
    def closed(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """One request at a time, and its answer."""

    _transport: asyncio.Transport

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._answer = Answer()
        self._replied: Callable[[Reply], None] | None = None  # None while it is idle.
        self._deadline = 0.0

    def is_usable(self, now: float) -> bool:
        """Whether the next request may use it."""
        return (
            now <= self._idle_until and now <= self._too_old_at and not self._transport.is_closing()
        )

    def exchange(self, message: bytes, deadline: float, replied: Callable[[Reply], None]) -> None:
        assert self._replied is None, "a connection carries one request at a time"
        self._answer.expect()
        self._deadline = deadline
        self._replied = replied
        self._transport.write(message)

    def look_at_clock(self, now: float) -> None:
        if self._replied is not None:
            if now > self._deadline:
                self.close("timeout")
        elif not self.is_usable(now):
            self.close("connection_broken")

    def close(self, reason: str) -> None:
        """End the request, if there is one, with this reason."""
        replied, self._replied = self._replied, None
        self._transport.abort()
        if replied is not None:
            replied(Unreachable(reason))

    # Called by asyncio.

    def connection_made(  # type: ignore[override]  # uvloop's transports are none by class.
        self, transport: asyncio.Transport
    ) -> None:
        self._transport = transport
        now = self._pool.opened(self)
        self._too_old_at = now + AGE_SECONDS
        self._idle_until = now + self._answer.idle_seconds

    def data_received(self, data: bytes) -> None:
        if self._replied is None:
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
        if self._replied is not None and self._answer.is_complete:
            self._answered()

    def connection_lost(self, _error: Exception | None) -> None:
        self.close("connection_broken")
        self._pool.closed(self)

    def _answered(self) -> None:
        replied, self._replied = self._replied, None
        is_sent = not self._transport.get_write_buffer_size()
        answer = self._answer.reply()
        # A request not sent to its end is not stored; the server may have refused it early.
        if not is_sent and isinstance(answer, Response) and answer.status < 300:
            answer = INVALID
        # The unsent rest would precede the next request.
        if self._answer.is_last or not is_sent:
            self._transport.abort()
        elif not self._transport.is_closing():
            self._idle_until = self._pool.free(self) + self._answer.idle_seconds
        if replied is not None:  # Last, as another request may follow from it at once.
            replied(answer)
