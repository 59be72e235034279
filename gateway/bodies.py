"""Reading a request's body: never more than allowed, never for longer than allowed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol

from gateway.admission import Share
from gateway.encodings import EncodingError, decompressed
from gateway.surrogates import LONE_MAX, repaired

Message = MutableMapping[str, Any]
WHOLE_BODY = "ampgate.whole_body"  # An ASGI extension: a `WholeRequest`.
Receive = Callable[[], Awaitable[Message]]
# JSON in memory is up to 30 times its text (`[[],[],…]`); real events have a value in 25 bytes.
VALUES_MAX = 2_000_000


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
    limit: int,
    seconds: float,
    share: Share,
    whole: WholeRequest | None = None,
) -> bytes:
    """The whole body as plain text; each byte of it is in the share before the next is read."""
    codings = headers.get(b"transfer-encoding", b"chunked")
    if codings.strip().lower() != b"chunked":
        raise BodyError(501, "of transfer encodings only chunked is read")  # RFC 9112 §6.1.
    length = headers.get(b"content-length", b"")
    if length.isdigit():
        size = int(length[:20])
        if size > limit:
            raise _too_large(limit)
        if not share.has_room(size):
            raise _no_room()
    if whole is not None:
        body = _admitted(whole.take(), limit, share)
    else:
        try:
            async with asyncio.timeout(seconds):
                body = await _receive_all(receive, limit, share)
        except TimeoutError as error:
            raise BodyError(408, f"the body took more than {seconds:g} s") from error
    encoding = headers.get(b"content-encoding")
    if encoding is not None:
        body = _plain(body, encoding, limit, share)
    if len(body) > VALUES_MAX and body.count(b",") + body.count(b"[") > VALUES_MAX:
        raise BodyError(413, f"the body has more than {VALUES_MAX} values")
    whole_text = repaired(body)
    if whole_text is None:
        raise BodyError(413, f"the body has more than {LONE_MAX} halves of surrogate pairs")
    return whole_text


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


def _plain(body: bytes, encoding: bytes, limit: int, share: Share) -> bytes:
    try:
        plain = decompressed(body, encoding, limit)
    except EncodingError as error:
        raise BodyError(error.status, error.message) from error
    if plain is None:
        raise _too_large(limit)
    if not share.take(len(plain)):
        raise _no_room()
    share.give_back(len(body))
    return plain


def _too_large(limit: int) -> BodyError:
    return BodyError(413, f"the body is larger than {limit} bytes")


def _no_room() -> BodyError:
    return BodyError(503, "too much is on its way to Kafka, come again")
