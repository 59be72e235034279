"""An upstream that only counts: `python -m benchmarks.sink PORT STATUS [CERTIFICATE]`.

`GET /` says how many. With a certificate, key and chain in one file, it speaks TLS.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Sink:
    def __init__(self, status: int) -> None:
        self._requests = 0
        self._status = status
        self._body = b'{"code":%d}' % status

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        status, body = self._status, self._body
        if scope["method"] == "GET":
            status, body = 200, b"%d" % self._requests
        else:
            self._requests += 1
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def main() -> None:
    port, status, *certificate = sys.argv[1:]
    uvicorn.run(
        Sink(int(status)),
        host="127.0.0.1",
        port=int(port),
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        ssl_certfile=certificate[0] if certificate else None,
    )


if __name__ == "__main__":
    main()
