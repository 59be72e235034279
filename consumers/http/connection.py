"""One kept-alive HTTP/1.1 connection: a request at a time, and its answer."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from consumers.delivery.destination import Reply, Response, Unreachable
from consumers.http.answer import Answer, InvalidAnswerError
from consumers.http.replies import INVALID, Usual, may_be_usual

AGE_SECONDS = 300.0  # So that a changed address of the host is noticed.


class Pool(Protocol):
    """Who has the connections; each call returns the loop's time, or nothing."""

    usual: Usual  # The last answer that came in one piece: most are the same.

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
        if self._answer.has_begun:
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
        answer, usual = self._answer, self._pool.usual
        is_first = not answer.has_begun
        if is_first and data == usual.received:
            self._answered(usual.reply, usual.idle_seconds)
            return
        try:
            answer.feed(data)
        except InvalidAnswerError:
            self.close(INVALID.reason)
            return
        if answer.is_complete:
            reply, idle_seconds = answer.reply(), None if answer.is_last else answer.idle_seconds
            if is_first and idle_seconds is not None and may_be_usual(data, reply):
                self._pool.usual = Usual(data, reply, idle_seconds)
            self._answered(reply, idle_seconds)

    def eof_received(self) -> None:
        self._answer.end()
        if self._replied is not None and self._answer.is_complete:
            self._answered(self._answer.reply(), None)

    def connection_lost(self, _error: Exception | None) -> None:
        self.close("connection_broken")
        self._pool.closed(self)

    def _answered(self, reply: Reply, idle_seconds: float | None) -> None:
        """The answer is complete; None: the connection cannot be used any more."""
        replied, self._replied = self._replied, None
        is_sent = not self._transport.get_write_buffer_size()
        # A request not sent to its end is not stored; the server may have refused it early.
        if not is_sent and isinstance(reply, Response) and reply.status < 300:
            reply = INVALID
        # The unsent rest would precede the next request.
        if idle_seconds is None or not is_sent:
            self._transport.abort()
        elif not self._transport.is_closing():
            self._idle_until = self._pool.free(self) + idle_seconds
        if replied is not None:  # Last, as another request may follow from it at once.
            replied(reply)
