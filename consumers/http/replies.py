"""A reply from an HTTP answer, the same for both clients."""

from consumers.delivery.destination import Reply, Response, Unreachable
from schemas.http.retry_after import seconds_until

BODY_BYTES_MAX = 1_000_000  # The longest error body names 2,000 indexes.
INVALID = Unreachable("invalid_reply")


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
