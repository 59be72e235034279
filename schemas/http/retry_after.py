"""`Retry-After`: seconds, or a date (RFC 9110 §10.2.3)."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SECONDS_MAX = 86_400.0  # Whoever says more means another unit, or nothing: we ask after a day.
LENGTH_MAX = 64  # The longest date takes 33.
_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?")


def seconds_until(retry_after: str | None, date: str | None = None) -> float | None:
    """Seconds to wait, from 0 to a day; None if the header is absent or says neither.

    A date counts from the answer's own `Date`, so that a clock that is wrong, theirs or ours, holds
    nobody; without one, from our clock.
    """
    text = (retry_after or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text[:LENGTH_MAX]), SECONDS_MAX)
    until = moment(text)
    if until is None:
        return None
    asked_at = moment(date) or datetime.now(UTC)
    return min(max(0.0, (until - asked_at).total_seconds()), SECONDS_MAX)


def moment(header: str | None) -> datetime | None:
    """A header's date, in UTC; None if it is absent or none."""
    text = (header or "").strip()
    if not 0 < len(text) <= LENGTH_MAX:
        return None
    try:
        parsed = parsedate_to_datetime(text)
        # A zone takes a moment of the first or last year out of what a datetime can tell.
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError, TypeError, IndexError):  # All of them come out of it.
        return None
