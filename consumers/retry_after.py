"""`Retry-After`: seconds, or a date."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SECONDS_MAX = 86_400.0  # Who says more means another unit, or nothing: we ask again after a day.


def seconds_until(retry_after: str | None) -> float | None:
    """In seconds from now, a day at most; what is neither counts as absent."""
    if retry_after is None:
        return None
    try:
        return min(max(0.0, float(retry_after)), SECONDS_MAX)
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(0.0, (until - datetime.now(UTC)).total_seconds()), SECONDS_MAX)
