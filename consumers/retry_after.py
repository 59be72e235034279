"""`Retry-After`: seconds, or a date."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def seconds_until(retry_after: str | None) -> float | None:
    """In seconds from now; what is neither counts as absent."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
