"""One HTTP/1.1 answer, read from the bytes of a connection as they come. No I/O."""

import httptools

from consumers.delivery.destination import Response
from consumers.retry_after import seconds_until

BODY_BYTES_MAX = 1_000_000  # An error body names a field or two; more is not an answer.
HEADERS_BYTES_MAX = 1_000_000
IDLE_SECONDS = 4.0  # uvicorn and Node close after 5 s: a request must not cross that.


class InvalidAnswerError(Exception):
    """These bytes are no HTTP answer."""


class Answer:
    """The final answer to each request; what only announces it (1xx) is passed over.

    One for a connection: it and its parser hold each other, so one for a request would leave the
    garbage collector as many cycles.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.expect()

    def expect(self) -> None:
        """Another request goes out; nothing of its answer is here yet."""
        self._status = 0
        self._body = b""
        self._retry_after: bytes | None = None
        self._has_length = False
        self._read_bytes = 0
        self.idle_seconds = IDLE_SECONDS  # How long the connection may wait for the next request.
        self.is_complete = False
        self.is_last = False  # The connection can carry nothing after it.

    def feed(self, received: bytes) -> None:
        self._read_bytes += len(received)
        try:
            self._parser.feed_data(received)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.is_last = True
            if not self.is_complete:
                raise InvalidAnswerError from error
        if self._read_bytes > HEADERS_BYTES_MAX + BODY_BYTES_MAX and not self.is_complete:
            raise InvalidAnswerError

    def end(self) -> None:
        """The far end says no more: a body without a length is complete by that."""
        self.is_last = True
        self.is_complete |= self._status >= 200 and not self._has_length

    def response(self) -> Response:
        assert self.is_complete
        retry_after = None if self._retry_after is None else self._retry_after.decode("latin-1")
        return Response(self._status, self._body[:BODY_BYTES_MAX], seconds_until(retry_after))

    # The parser calls.

    def on_message_begin(self) -> None:
        self.is_last |= self.is_complete  # Something follows that nobody asked for.

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_complete:
            return
        match name.lower():
            case b"content-length" | b"transfer-encoding":
                self._has_length = True
            case b"retry-after":
                self._retry_after = value
            case b"keep-alive":
                self.idle_seconds = _idle_seconds(value)

    def on_headers_complete(self) -> None:
        if not self.is_complete:
            self._status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        if not self.is_complete:
            self._body += body
        if len(self._body) > BODY_BYTES_MAX:
            self.is_complete = self.is_last = True  # We have read enough of it.

    def on_message_complete(self) -> None:
        if self._status >= 200:
            self.is_complete = True
            self.is_last |= not self._parser.should_keep_alive()


def _idle_seconds(keep_alive: bytes) -> float:
    """The header's `timeout`, less a second for the way; never longer than our own."""
    for part in keep_alive.split(b","):
        name, _, value = part.strip().partition(b"=")
        if name.lower() == b"timeout" and value.isdigit():
            return min(IDLE_SECONDS, max(0.0, float(value) - 1.0))
    return IDLE_SECONDS
