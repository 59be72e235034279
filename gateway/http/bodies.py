"""Reading a request's body: never more than allowed, never for longer than allowed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from itertools import islice
from typing import Any, Protocol

from gateway.edge.admission import NO_ROOM, Share
from gateway.http.encodings import EncodingError, encodings_of, expanded_max, unpacked, window_bytes
from gateway.http.surrogates import repaired
from schemas.configuration.config import Edge

Message = MutableMapping[str, Any]
WHOLE_BODY = "ampgate.whole_body"  # An ASGI extension: a `WholeRequest`.
Receive = Callable[[], Awaitable[Message]]
ON_THE_LOOP_BYTES = 65_536  # Of a longer body all is unpacked in a thread: others wait less.
PIECES_AT_ONCE = 32  # Between two looks at the budget: at most 1 MB goes in or comes out.


class WholeRequest(Protocol):
    """A request whose body is there: neither it nor the answer needs to be waited for."""

    def take(self) -> bytes: ...
    def answer(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Whether it was written; if not, ASGI's messages remain."""


class BodyError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ClientGone(Exception):  # noqa: N818  It reads as what happened.
    """Nobody is there to answer."""


def whole_request(scope: Mapping[str, Any]) -> WholeRequest | None:
    """The request itself, where the server can give it; as of now, for bodies go on arriving."""
    extensions = scope.get("extensions")
    return None if extensions is None else extensions.get(WHOLE_BODY)


async def read_body(
    receive: Receive,
    headers: Mapping[bytes, bytes],
    edge: Edge,
    share: Share,
    whole: WholeRequest | None = None,
) -> bytes:
    """The whole body as plain text; each byte of it is in the share before the next is read.

    What the headers alone say is refused before anything is read.
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
    whole_text = repaired(body)
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
    """Its text, made in a thread but for the beginning of a short body's: decoders release the GIL.

    A step there and back costs 0.1 ms, and what it keeps from the loop takes longer.
    """
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


def _charged(pieces: list[bytes], share: Share) -> bytes:
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
