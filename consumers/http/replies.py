"""What both HTTP clients make of an answer that came."""

from consumers.delivery.destination import Reply, Response, Unreachable
from schemas.http.retry_after import seconds_until

BODY_BYTES_MAX = 1_000_000  # An error body names at most 2,000 indexes; more is not an answer.
INVALID = Unreachable("invalid_reply")


def reply_of(
    status: int, body: bytes, retry_after: str | None = None, date: str | None = None
) -> Reply:
    """The answer; its body is cut if there is more than `BODY_BYTES_MAX` of it.

    A success that is cut is none: nobody has read what it says. Nor is a status below 200 an answer
    to a POST.
    """
    if status < 200 or (status < 300 and len(body) > BODY_BYTES_MAX):
        return INVALID
    seconds = None if retry_after is None else seconds_until(retry_after, date)
    return Response(status, body[:BODY_BYTES_MAX], seconds)
