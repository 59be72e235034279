"""One HTTP/1.1 answer, read from the bytes of a connection as they come. No I/O."""

import re
import zlib

import httptools

from consumers.delivery.destination import Reply
from consumers.http.replies import BODY_BYTES_MAX, INVALID, reply_of

READ_BYTES_MAX = 2 * BODY_BYTES_MAX  # With headers, interim answers and the chunks' lengths.
INTERIM_BYTES_MAX = 65_536  # Of one interim answer.
IDLE_SECONDS = 4.0  # uvicorn and Node close after 5 s: a request must not cross that.
# What zlib is to look for: gzip's header, or its own.
ENCODINGS = {b"gzip": 31, b"x-gzip": 31, b"deflate": 15}
_H = ord("H")
_MAYBE_INTERIM = (b"1", b"")
# 101 is not an interim answer: what follows it is not HTTP.
_INTERIM = re.compile(rb"HTTP/1\.[01] 1(?!01)[0-9]{2}")
_SHORTEST = len("HTTP/1.1 100")
_HEAD_END = re.compile(rb"\r?\n\r?\n[\r\n]*")


class InvalidAnswerError(Exception):
    """The bytes are not an HTTP answer."""


class Answer:
    """The final answer to each request.

    Interim answers (1xx) are taken out before the parser sees them: they have no body, whatever
    length they give (RFC 9110 §15.2), and the parser would wait for one.

    One per connection: it and its parser refer to each other, so one per request would leave a
    reference cycle per request.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.expect()

    def expect(self) -> None:
        """Another request is sent; nothing of its answer has come yet."""
        # Bytes that may be an interim answer.
        self._early: bytes | None = b""
        self._status = 0
        self._body: bytes | bytearray = b""
        self._retry_after: bytes | None = None
        self._date: bytes | None = None
        self._encoding: bytes | None = None
        self._has_length = False
        self._read_bytes = 0
        self.idle_seconds = IDLE_SECONDS  # How long the connection may wait for the next request.
        self.has_begun = False
        self.is_complete = False
        self.is_last = False  # The connection cannot be used after it.

    def feed(self, received: bytes) -> None:
        self.has_begun = True
        self._read_bytes += len(received)
        if self._early is not None:
            if not self._early and received[0] == _H and received[9:10] not in _MAYBE_INTERIM:
                self._early = None
            else:
                received = self._without_interim(self._early, received)
        try:
            self._parser.feed_data(received)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.is_last = True
            if not self.is_complete:
                raise InvalidAnswerError from error
        if self._read_bytes > READ_BYTES_MAX and not self.is_complete:
            raise InvalidAnswerError

    def end(self) -> None:
        """The server closed its side: that completes a body without a length."""
        self.has_begun = self.is_last = True
        self.is_complete |= self._status >= 200 and not self._has_length

    def reply(self) -> Reply:
        assert self.is_complete
        body = bytes(self._body) if self._encoding is None else self._unpacked(self._encoding)
        if body is None:
            return INVALID
        if self._retry_after is None:
            return reply_of(self._status, body)
        return reply_of(self._status, body, _text(self._retry_after), _text(self._date))

    def _unpacked(self, name: bytes) -> bytes | None:
        """The body; None where it is not what its encoding says.

        We ask for none, and a proxy may compress all the same; not more is unpacked than is read.
        """
        encoding = ENCODINGS.get(name.lower())
        if encoding is None or not self._body:
            return bytes(self._body)
        unpacking = zlib.decompressobj(encoding)
        try:
            body = unpacking.decompress(self._body, BODY_BYTES_MAX + 1)
        except zlib.error:
            return None
        return body if unpacking.eof or len(body) > BODY_BYTES_MAX else None

    def _without_interim(self, early: bytes, received: bytes) -> bytes:
        """The bytes for the parser: all but interim answers."""
        searched = max(0, len(early) - 3)
        early = (early + received).lstrip(b"\r\n")
        at = 0  # What follows is not copied for each of them: there may be thousands.
        while _INTERIM.match(early, at) and (end := _HEAD_END.search(early, max(at, searched))):
            at = end.end()
        early = early[at:]
        if _INTERIM.match(early) or len(early) < _SHORTEST:
            if len(early) > INTERIM_BYTES_MAX:
                raise InvalidAnswerError
            self._early = early
            return b""
        self._early = None
        return early

    # The parser calls.

    def on_message_begin(self) -> None:
        self.is_last |= self.is_complete  # Bytes follow that belong to no request.

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_complete or self._status:  # What comes behind the body says nothing of it.
            return
        match name.lower():
            case b"content-length" | b"transfer-encoding":
                self._has_length = True
            case b"retry-after":
                self._retry_after = value
            case b"date":
                self._date = value
            case b"content-encoding":
                self._encoding = value
            case b"keep-alive":
                self.idle_seconds = _idle_seconds(value)

    def on_headers_complete(self) -> None:
        if self.is_complete:
            return
        self._status = self._parser.get_status_code()
        # These have no body, whatever length they give; the parser would wait for it.
        if self._status < 200 or self._status in (204, 304):
            self.is_complete = True
            self.is_last = self._has_length or self._status < 200

    def on_body(self, body: bytes) -> None:
        if not self.is_complete:
            if not self._body:
                self._body = body
            else:
                # Thousands of small chunks are not copied once for each of them.
                if isinstance(self._body, bytes):
                    self._body = bytearray(self._body)
                self._body += body
        if len(self._body) > BODY_BYTES_MAX:
            self.is_complete = self.is_last = True  # Enough of the body is read.

    def on_message_complete(self) -> None:
        self.is_complete = True
        self.is_last |= not self._parser.should_keep_alive()


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _idle_seconds(keep_alive: bytes) -> float:
    """The header's `timeout` less a second of latency; never longer than our own."""
    for part in keep_alive.split(b","):
        name, _, value = part.strip().partition(b"=")
        if name.lower() == b"timeout" and value.isdigit():
            return min(IDLE_SECONDS, max(0.0, float(value[:9]) - 1.0))
    return IDLE_SECONDS
