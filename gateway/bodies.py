"""Reading a request's body: never more than allowed, never for longer than allowed."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import brotli
import zstandard

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
_STEP = 65_536


class BodyError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ClientGone(Exception):  # noqa: N818  It reads as what happened.
    """Nobody is there to answer."""


async def read_body(
    receive: Receive, headers: Mapping[bytes, bytes], limit: int, seconds: float
) -> bytes:
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(seconds):
            body = await _receive_all(receive, limit)
    except TimeoutError as error:
        raise BodyError(408, f"the body took more than {seconds:g} s") from error
    encoding = headers.get(b"content-encoding")
    return body if encoding is None else decompressed(body, encoding, limit)


async def _receive_all(receive: Receive, limit: int) -> bytes:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    first: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(first) > limit:
            raise _too_large(limit)
        return first
    body = bytearray(first)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def decompressed(body: bytes, encoding: bytes, limit: int) -> bytes:
    """Undo the encodings, the last one first; stops as soon as it gets too large."""
    names = [name.strip().lower() for name in encoding.split(b",")]
    if len(names) > 3:
        raise BodyError(415, "more than three content encodings")
    for name in reversed(names):
        if name in (b"", b"identity"):
            continue
        undo = _DECODERS.get(name)
        if undo is None:
            raise BodyError(415, "content encodings are gzip, deflate, br and zstd")
        try:
            body = undo(body, limit)
        except (zlib.error, brotli.error, zstandard.ZstdError, EOFError) as error:
            raise BodyError(400, f"the body is not {name.decode()}: {error}") from error
        if len(body) > limit:
            raise _too_large(limit)
    return body


def _gzip(body: bytes, limit: int) -> bytes:
    return _inflate(body, limit, 16 + zlib.MAX_WBITS)


def _deflate(body: bytes, limit: int) -> bytes:
    try:
        return _inflate(body, limit, zlib.MAX_WBITS)
    except zlib.error:
        return _inflate(body, limit, -zlib.MAX_WBITS)  # Some send it without zlib's header.


def _inflate(body: bytes, limit: int, bits: int) -> bytes:
    decoder = zlib.decompressobj(bits)
    plain = decoder.decompress(body, limit + 1)
    if len(plain) <= limit and not decoder.eof:
        raise EOFError("it ends too early")
    return plain


def _brotli(body: bytes, limit: int) -> bytes:
    decoder = brotli.Decompressor()
    plain = bytearray(decoder.process(body, output_buffer_limit=limit + 1))
    while len(plain) <= limit and not decoder.is_finished():
        piece = decoder.process(b"", output_buffer_limit=_STEP)
        if not piece and not decoder.is_finished():
            raise EOFError("it ends too early")
        plain += piece
    return bytes(plain)


def _zstd(body: bytes, limit: int) -> bytes:
    with zstandard.ZstdDecompressor(max_window_size=2**23).stream_reader(body) as reader:
        plain = bytearray()
        while len(plain) <= limit and (piece := reader.read(_STEP)):
            plain += piece
    if len(plain) <= limit:
        # The reader is silent about a body cut short; by now a second look is known to be small.
        whole = zstandard.ZstdDecompressor(max_window_size=2**23).decompressobj()
        whole.decompress(body)
        if not whole.eof or whole.unused_data:
            raise EOFError("it is not one whole frame")
    return bytes(plain)


def _too_large(limit: int) -> BodyError:
    return BodyError(413, f"the body is larger than {limit} bytes")


_DECODERS: Mapping[bytes, Callable[[bytes, int], bytes]] = {
    b"gzip": _gzip,
    b"x-gzip": _gzip,
    b"deflate": _deflate,
    b"br": _brotli,
    b"zstd": _zstd,
}
