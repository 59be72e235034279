"""Answers as ASGI messages, with the headers that all dialects share."""

import math
from collections.abc import Awaitable, Callable, Mapping

import orjson

from gateway.dialects.shapes import Answer
from gateway.http.bodies import Message, WholeRequest
from gateway.http.cors import HttpHeaders, allowed_methods, answer_headers, preflight_headers

RETRY_AFTER_SECONDS = 1
PIECE_BYTES = 65_536  # The most that a connection buffers of an answer.
Send = Callable[[Message], Awaitable[None]]


def answer_lines(
    answer: Answer,
    origin: bytes | None,
    origins: frozenset[str],
    retry_after: float,
    methods: frozenset[str],
) -> HttpHeaders:
    status = answer.status
    lines = [
        (b"content-type", answer.content_type),
        (b"content-length", b"%d" % len(answer.body)),
        *answer_headers(origin, origins),
    ]
    if status in (429, 503):
        seconds = max(RETRY_AFTER_SECONDS, math.ceil(retry_after))
        lines.append((b"retry-after", b"%d" % seconds))
    elif status == 405:
        lines.append((b"allow", allowed_methods(methods)))
    elif status == 408:
        lines.append((b"connection", b"close"))  # The rest of the body is not read.
    return lines


def answered_at_once(whole: WholeRequest, answer: Answer, lines: HttpHeaders) -> bool:
    """Whether it could be, so that no message of ASGI is needed."""
    status, body = answer.status, answer.body
    # For HEAD (405), the server leaves the body out; and it closes a connection (408).
    if status in (405, 408) or len(body) > PIECE_BYTES:
        return False
    return whole.answer(status, lines, body)


async def send_answer(send: Send, answer: Answer, lines: HttpHeaders) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": lines})
    await in_pieces(send)({"type": "http.response.body", "body": answer.body})


def in_pieces(send: Send) -> Send:
    """Sends a large body in pieces, so that a connection buffers one piece at most."""

    async def send_pieces(message: Message) -> None:
        body = message.get("body", b"")
        if len(body) > PIECE_BYTES:
            last = dict(message)
            view = memoryview(body)
            while len(view) > PIECE_BYTES:  # `send` waits while a connection's buffer is full.
                await send({**last, "body": view[:PIECE_BYTES], "more_body": True})
                view = view[PIECE_BYTES:]
            message = {**last, "body": view}
        await send(message)

    return send_pieces


async def send_preflight(
    send: Send,
    headers: Mapping[bytes, bytes],
    origins: frozenset[str],
    methods: frozenset[str],
) -> None:
    answer = preflight_headers(headers, origins, methods)
    await send({"type": "http.response.start", "status": 204, "headers": answer})
    await send({"type": "http.response.body", "body": b""})


def error_body(status: int, message: str) -> bytes:
    return orjson.dumps({"code": status, "error": message})
