"""What a request may be, and what may become of it. Pure."""

from gateway.dialects.shapes import RECORDS_MAX, Answer, Endpoint, too_many
from gateway.edge.admission import Share
from gateway.edge.sources import Sender
from schemas.configuration.config import Edge

BUILT_TIMES_MAX = 2  # Records can be as large as the largest body.
# What is copied from one part of a body into many records: so many times the body, or 1 MB.
COPIED_TIMES_MAX = 10
COPIED_BYTES_MIN = 1_000_000


def over_limit(
    endpoint: Endpoint, sender: Sender, share: Share, records: int, body_bytes: int
) -> Answer | None:
    if records > RECORDS_MAX:
        return too_many(endpoint)
    if (most := share.records_max) is not None and records > most:
        words = f"compressed to so few bytes, a body has {most} records at most"
        return endpoint.failure(413, words)
    if (most := sender.max_body_bytes) is not None and body_bytes > most:
        return endpoint.failure(413, f"the source's bodies have {most} bytes at most")
    if (most := sender.max_batch_records) is not None and records > most:
        return endpoint.failure(413, f"the source's batches have {most} records at most")
    return None


def limit_growth(share: Share, sender: Sender, edge: Edge, records: int, body_bytes: int) -> None:
    """Limit what becomes of a request that has so many records and bytes."""
    most = RECORDS_MAX
    for limit in (share.records_max, sender.max_batch_records):
        if limit is not None and limit < most:
            most = limit
    share.let_become(
        BUILT_TIMES_MAX * edge.max_body_bytes,
        free=body_bytes,
        records=most - records,
        copied=max(COPIED_TIMES_MAX * body_bytes, COPIED_BYTES_MIN),
    )
