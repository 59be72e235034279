"""A reply from an HTTP answer, the same for both clients."""

from typing import NamedTuple

from consumers.delivery.destination import Reply, Response, Unreachable
from schemas.http.retry_after import seconds_until

BODY_BYTES_MAX = 1_000_000  # The longest error body names 2,000 indexes.
INVALID = Unreachable("invalid_reply")
USUAL_BYTES_MAX = 2_000


class Usual(NamedTuple):
    """The bytes of an answer that came in one piece, and what they mean."""

    received: bytes
    reply: Reply
    idle_seconds: float  # How long the connection may wait for the next request.


NO_USUAL = Usual(b"", INVALID, 0.0)


def may_be_usual(received: bytes, reply: Reply) -> bool:
    """Whether the same bytes always mean the same, and are worth keeping."""
    if not isinstance(reply, Response) or reply.retry_after_seconds is not None:
        return False
    return reply.status < 300 and len(received) <= USUAL_BYTES_MAX


def reply_of(
    status: int, body: bytes, retry_after: str | None = None, date: str | None = None
) -> Reply:
    """The answer, with its body cut at `BODY_BYTES_MAX`.

    A success whose body was cut is not one, as it was not read to the end; nor is a status below
    200.
    """
    if status < 200 or (status < 300 and len(body) > BODY_BYTES_MAX):
        return INVALID
    seconds = None if retry_after is None else seconds_until(retry_after, date)
    return Response(status, body[:BODY_BYTES_MAX], seconds)
