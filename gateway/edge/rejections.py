"""Rejected records as dead letters: the bytes untouched, the reason in the headers. Pure."""

from collections.abc import Sequence
from itertools import islice

from gateway.dialects.shapes import LISTED_MAX, Context, Rejection
from gateway.edge.admission import TokenBucket
from schemas.letters import cut_detail, timestamp
from schemas.records import Headers, NewRecord


def dead_letters(
    rejected: Sequence[Rejection], context: Context, rate: TokenBucket, now: float
) -> list[NewRecord]:
    """The ones to store: the first of a request that have bytes (those of suppressed users have
    none), as many as the source's rate allows.
    """
    kept = list(islice((one for one in rejected if one.value), LISTED_MAX))
    return [
        dead_letter(one, context.headers, context.now_ms)
        for one in kept[: rate.up_to(len(kept), now)]
    ]


def dead_letter(rejection: Rejection, original: Headers, now_ms: int) -> NewRecord:
    headers = [
        *original,
        ("destination", b"edge"),
        ("reason", rejection.defect.reason.encode()),
        ("detail", cut_detail(rejection.defect.message)),
        ("origin", b"edge"),
        ("attempts", b"0"),
        ("first_failed_at", timestamp(now_ms / 1000).encode()),
    ]
    return NewRecord(rejection.key, rejection.value, headers)
