"""What the edge rejects is kept: the bytes untouched, the reason in the headers. Pure."""

from datetime import UTC, datetime

from gateway.dialects.shapes import Context, Rejection
from schemas.records import NewRecord

DETAIL_BYTES_MAX = 1_000


def dead_letter(rejection: Rejection, context: Context) -> NewRecord:
    moment = datetime.fromtimestamp(context.now_ms / 1000, UTC)
    first_failed_at = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    headers = [
        *context.headers,
        ("destination", b"edge"),
        ("reason", rejection.defect.reason.encode()),
        ("detail", rejection.defect.message.encode("utf-8", "replace")[:DETAIL_BYTES_MAX]),
        ("origin", b"edge"),
        ("attempts", b"0"),
        ("first_failed_at", first_failed_at.encode()),
    ]
    return NewRecord(None, rejection.value, headers)
