"""The answer to what is refused before it is a request. Pure."""

from collections.abc import Iterable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.edge.answers import RETRY_AFTER_SECONDS, error_body

HEADERS_MAX = 100  # In one request, including trailers.
HEAD_BYTES_MAX = 16_384  # The address and the headers together.
NO_REQUEST = 400, "this is no HTTP request"
CROWDED = 503, "too many connections, try again later"
TOO_MANY = 431, f"a request has {HEADERS_MAX} headers at most"
TOO_LARGE = 431, f"the address and the headers have {HEAD_BYTES_MAX} bytes at most"
HEAD = b"content-type: application/json\r\ncontent-length: %d\r\n%bconnection: close\r\n\r\n"
LATER = b"retry-after: %d\r\n" % RETRY_AFTER_SECONDS


def is_too_large(url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return len(url) + sum(len(name) + len(value) for name, value in headers) > HEAD_BYTES_MAX


def answer(status: int, words: str) -> bytes:
    body = error_body(status, words)
    return STATUS_LINE[status] + HEAD % (len(body), LATER if status == 503 else b"") + body
