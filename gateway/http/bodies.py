"""Reading a request's body, within limits of bytes and time."""

import asyncio
from codecs import BOM_UTF8
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from itertools import islice
from typing import Any, Protocol

from gateway.edge.admission import NO_ROOM, Share
from gateway.http.encodings import (
    EncodingError,
    encodings_of,
    expanded_max,
    short_gzip,
    unpacked,
    window_bytes,
)
from gateway.http.surrogates import repaired
from schemas.configuration.config import Edge

Message = MutableMapping[str, Any]
WHOLE_BODY = "ampgate.whole_body"  # An ASGI extension: a `WholeRequest`.
Receive = Callable[[], Awaitable[Message]]
# A compressed body has one record a byte at most, or as many as Amplitude takes in a request.
RECORDS_MIN = 2_000
ON_THE_LOOP_BYTES = 65_536  # A longer body is decompressed in a thread: others wait less.
PIECES_AT_ONCE = 32  # Between checks of the budget: at most 1 MB is read or decompressed.


class WholeRequest(Protocol):
    """A request whose whole body has arrived: it can be read and answered without waiting."""

    body: bytearray
    tasks: set[Any]  # A shutdown waits for them, and cancels them when that takes too long.

    @property
    def scope(self) -> Mapping[str, Any]: ...

    def take(self) -> bytes: ...
    def answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Write the answer, if that is possible at once; else ASGI's messages are needed."""

    async def send(self, message: Message) -> None:
        """ASGI's."""

    def run(self, rest: Coroutine[Any, Any, None]) -> None:
        """Await the rest of serving it, in a task."""


class BodyError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ClientGone(Exception):  # noqa: N818  It reads as what happened.
    """The client is gone."""


def whole_request(scope: Mapping[str, Any]) -> WholeRequest | None:
    """The whole request, if the server has it and its body has arrived by now."""
    extensions = scope.get("extensions")
    return None if extensions is None else extensions.get(WHOLE_BODY)


def at_once(
    whole: WholeRequest, headers: Mapping[bytes, bytes], edge: Edge, most: int
) -> bytes | bytearray | None:
    """The text of a body that is there, if it has at most so many bytes, and is plain or gzip."""
    body = whole.body
    if len(body) > most or b"transfer-encoding" in headers:
        return None
    encoding = headers.get(b"content-encoding")
    if encoding is None:
        return body
    allowed = expanded_max(len(body), edge.max_expansion, edge.max_body_bytes)
    return short_gzip(encoding, body, min(most, allowed))


def taken_at_once(whole: WholeRequest, text: bytes | bytearray, limit: int, share: Share) -> bytes:
    """Take the body of which this is the text; `at_once` found it."""
    is_plain = text is whole.body
    body = whole.take()
    if is_plain:
        return _repaired(_admitted(body, limit, share))
    share.records_max = max(RECORDS_MIN, len(body))
    return _repaired(_charged([text], share))


async def read_body(
    receive: Receive,
    headers: Mapping[bytes, bytes],
    edge: Edge,
    share: Share,
    whole: WholeRequest | None = None,
) -> bytes:
    """The whole body as plain text; each byte of it is in the share before the next is read.

    A request that is refused for its headers is refused before its body is read.
    """
    codings = headers.get(b"transfer-encoding", b"chunked")
    if codings.strip().lower() != b"chunked":
        raise BodyError(501, "of transfer encodings only chunked is read")  # RFC 9112 §6.1.
    limit = edge.max_body_bytes
    length = headers.get(b"content-length", b"")
    if length.isdigit():
        size = int(length[:20])
        if size > limit:
            raise _too_large(limit)
        if not share.has_room(size):
            raise _no_room()
    try:
        encoding = headers.get(b"content-encoding")
        encodings = () if encoding is None else encodings_of(encoding)
        if whole is not None:
            body = _admitted(whole.take(), limit, share)
        else:
            body = await _receive_in_time(receive, limit, edge.body_timeout_seconds, share)
        if encodings:
            body = await _plain(body, encodings, edge, share)
    except EncodingError as error:
        raise BodyError(error.status, error.message) from error
    return _repaired(body)


def _repaired(body: bytes) -> bytes:
    whole_text = repaired(body.removeprefix(BOM_UTF8))  # RFC 8259 §8.1 lets us pass over it.
    if whole_text is None:
        raise BodyError(413, "the body has too many halves of surrogate pairs")
    return whole_text


async def _receive_in_time(receive: Receive, limit: int, seconds: float, share: Share) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            return await _receive_all(receive, limit, share)
    except TimeoutError as error:
        raise BodyError(408, f"the body took more than {seconds:g} s") from error


async def _receive_all(receive: Receive, limit: int, share: Share) -> bytes:
    message = await receive()
    first = _checked(message, limit, share)
    if not message.get("more_body", False):
        return first
    body = bytearray(first)
    while message.get("more_body", False):
        message = await receive()
        body += _checked(message, limit, share)
    return bytes(body)


def _checked(message: Message, limit: int, share: Share) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientGone
    return _admitted(message.get("body", b""), limit, share)


def _admitted(piece: bytes, limit: int, share: Share) -> bytes:
    if share.size + len(piece) > limit:
        raise _too_large(limit)
    if not share.take(len(piece)):
        raise _no_room()
    return piece


async def _plain(body: bytes, encodings: Sequence[bytes], edge: Edge, share: Share) -> bytes:
    """The text, decompressed in a thread, but for short bodies: decoders release the GIL.

    A step in a thread costs 0.1 ms; the loop would be blocked for longer.
    """
    share.records_max = max(RECORDS_MIN, len(body))
    most = expanded_max(len(body), edge.max_expansion, edge.max_body_bytes)
    pieces = unpacked(body, encodings, most)
    found = _next(pieces) if len(body) <= ON_THE_LOOP_BYTES else []
    texts = [_charged(found, share)]
    if not 0 < len(found) < PIECES_AT_ONCE:
        windows = window_bytes(encodings)
        if not share.take(windows):
            raise _no_room()
        while found := await asyncio.to_thread(_next, pieces):
            texts.append(_charged(found, share))
        share.give_back(windows)
    share.give_back(len(body))
    return texts[0] if len(texts) == 1 else b"".join(texts)


def _charged(pieces: Sequence[bytes | bytearray], share: Share) -> bytes:
    text = b"".join(pieces)
    if not share.take(len(text)):
        raise _no_room()
    return text


def _next(pieces: Iterator[bytes]) -> list[bytes]:
    return list(islice(pieces, PIECES_AT_ONCE))


def _too_large(limit: int) -> BodyError:
    return BodyError(413, f"the body is larger than {limit} bytes")


def _no_room() -> BodyError:
    return BodyError(503, NO_ROOM)
