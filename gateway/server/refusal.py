"""The answer to what is refused before it is a request. Pure."""

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.edge.answers import RETRY_AFTER_SECONDS, error_body

HEAD = b"content-type: application/json\r\ncontent-length: %d\r\n%bconnection: close\r\n\r\n"
LATER = b"retry-after: %d\r\n" % RETRY_AFTER_SECONDS


def refusal(status: int, words: str) -> bytes:
    body = error_body(status, words)
    return STATUS_LINE[status] + HEAD % (len(body), LATER if status == 503 else b"") + body
