"""The answer to what is refused before it is a request. Pure."""

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.edge.answers import error_body

HEAD = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"


def refusal(status: int, words: str) -> bytes:
    body = error_body(status, words)
    return STATUS_LINE[status] + HEAD % len(body) + body
