"""An upstream that only counts: `python -m benchmarks.sink PORT STATUS [CERTIFICATE]`.

`GET /` says how many. With a certificate, key and chain in one file, it speaks TLS. It does as
little as it can, for on a small machine it takes its time from who is measured.
"""

import asyncio
import ssl
import sys

import httptools
import uvloop

BUFFER_BYTES = 1024 * 1024  # A body of 2,000 events comes in a few pieces rather than in twenty.


class Counter:
    requests = 0


class Connection(asyncio.BufferedProtocol):
    """Answers each request when all of it is there."""

    def __init__(self, counter: Counter, answer: bytes) -> None:
        self._counter = counter
        self._answer = answer
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # It is one.
        self._transport = transport

    def get_buffer(self, _size_hint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        self._parser.feed_data(self._buffer[:size])

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            self._transport.write(answer(200, b"%d" % self._counter.requests))
        else:
            self._counter.requests += 1
            self._transport.write(self._answer)


def answer(status: int, body: bytes) -> bytes:
    head = b"HTTP/1.1 %d OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


async def serve(port: int, status: int, certificate: str | None) -> None:
    counter, reply = Counter(), answer(status, b'{"code":%d}' % status)
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(counter, reply), "127.0.0.1", port, ssl=context
    )
    await server.serve_forever()


def main() -> None:
    port, status, *certificate = sys.argv[1:]
    uvloop.run(serve(int(port), int(status), certificate[0] if certificate else None))


if __name__ == "__main__":
    main()
