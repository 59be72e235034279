"""Clients that no edge wants: what they send is no request of anybody, whole or in part."""

import asyncio
import gzip
from collections.abc import Mapping
from random import Random

REST_SECONDS = (0.05, 0.5)
HOLD_SECONDS = (0.0, 4.0)  # How long such a client stays.
_POST = b"POST /v1/events HTTP/1.1\r\nhost: a\r\nauthorization: Bearer not-a-key\r\n"
_BOMB = gzip.compress(b"[" * 20_000_000)


def _whole(headers: bytes, body: bytes) -> bytes:
    return _POST + headers + b"content-length: %d\r\n\r\n" % len(body) + body


SENT: Mapping[str, bytes] = {
    "nothing": b"",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,
    "zeros": bytes(5_000),
    "a head that does not end": _POST + b"x: " + b"a" * 3_000,
    "a head of 100 kB": _POST + b"x: " + b"a" * 100_000 + b"\r\n\r\n",
    "a thousand headers": _POST + b"x: y\r\n" * 1_000 + b"\r\n",
    "half a body": _POST + b"content-length: 1000\r\n\r\n" + b"[" * 500,
    "less body than it says, of a terabyte": _POST + b"content-length: 1000000000000\r\n\r\n{}",
    "two lengths": _POST + b"content-length: 1\r\ncontent-length: 2\r\n\r\n{}",
    "a length below zero": _POST + b"content-length: -1\r\n\r\n{}",
    "a chunk of no number": _POST + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    "chunks of one byte": _POST + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\n[\r\n" * 2_000,
    "a hundred requests at once": _whole(b"", b"{}") * 100,
    "a key that nobody has": _whole(b"", b'{"event_type":"a","user_id":"hostile"}'),
    "a body that becomes 20 MB": _whole(b"content-encoding: gzip\r\n", _BOMB),
    "a body that is no gzip": _whole(b"content-encoding: gzip\r\n", b"\x1f\x8b" * 50),
    "an upgrade": b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


async def disturb(host: str, port: int, random: Random, over: asyncio.Event) -> None:
    """One after another, until it is `over`: all kinds, in another order each time."""
    while True:
        kinds = list(SENT)
        random.shuffle(kinds)
        for kind in kinds:
            if over.is_set():
                return
            await _send(host, port, SENT[kind], random)
            await asyncio.sleep(random.uniform(*REST_SECONDS))


async def _send(host: str, port: int, data: bytes, random: Random) -> None:
    """Some of these never read, and some leave in the middle."""
    try:
        async with asyncio.timeout(random.uniform(*HOLD_SECONDS)):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(data)
                await writer.drain()
                while random.random() < 0.9 and await reader.read(65_536):
                    pass
            finally:
                writer.transport.abort()
    except (OSError, TimeoutError):
        pass  # It was refused, or has waited enough.
