"""An upstream that only counts: `python -m benchmarks.sink PORT STATUS [CERTIFICATE]`.

`GET /` says how many. With a certificate, key and chain in one file, it speaks TLS. It does as
little as it can, for on a small machine it takes its time from who is measured. With
`AMPGATE_BENCH_THROTTLED` it answers as Amplitude does where so many percent of the users are
throttled.
"""

import asyncio
import gzip
import json
import os
import re
import ssl
import sys

import httptools
import uvloop

_USER = re.compile(rb'"user_id":"(user-[0-9]{6}@example.org)"')
BUFFER_BYTES = 1024 * 1024  # A body of 2,000 events comes in a few pieces rather than in twenty.


class Counter:
    requests = 0


class Connection(asyncio.BufferedProtocol):
    """Answers each request when all of it is there."""

    def __init__(self, counter: Counter, answer: bytes, throttled_percent: int) -> None:
        self._counter = counter
        self._answer = answer
        self._throttled_percent = throttled_percent
        self._body = bytearray()
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # It is one.
        self._transport = transport

    def get_buffer(self, _size_hint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        self._parser.feed_data(self._buffer[:size])

    def on_body(self, body: bytes) -> None:
        if self._throttled_percent:
            self._body += body

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            self._transport.write(answer(200, b"%d" % self._counter.requests))
        else:
            self._counter.requests += 1
            body, self._body = self._body, bytearray()
            users = throttled(body, self._throttled_percent) if self._throttled_percent else []
            self._transport.write(throttling(users) if users else self._answer)


def answer(status: int, body: bytes) -> bytes:
    head = b"HTTP/1.1 %d OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def throttled(body: bytearray, percent: int) -> list[str]:
    users = _USER.findall(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
    return [user.decode() for user in users if int(user[5:11]) % 100 < percent]


def throttling(users: list[str]) -> bytes:
    """As amplitude.md#bad-request has it."""
    body = {"code": 429, "error": "Too many requests for some devices and users"}
    return answer(429, json.dumps(body | {"throttled_users": dict.fromkeys(users, 11)}).encode())


async def serve(port: int, status: int, certificate: str | None) -> None:
    counter, reply = Counter(), answer(status, b'{"code":%d}' % status)
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    percent = int(os.environ.get("AMPGATE_BENCH_THROTTLED", "0"))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(counter, reply, percent), "127.0.0.1", port, ssl=context
    )
    await server.serve_forever()


def main() -> None:
    port, status, *certificate = sys.argv[1:]
    uvloop.run(serve(int(port), int(status), certificate[0] if certificate else None))


if __name__ == "__main__":
    main()
