"""`Retry-After`: seconds, or a date (RFC 9110 §10.2.3)."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

SECONDS_MAX = 86_400.0  # More is a mistake: another unit, a date of year 9999. It is ignored.
LENGTH_MAX = 64  # The longest date has 33.
_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?")


def seconds_until(retry_after: str | None, date: str | None = None) -> float | None:
    """Seconds to wait, from 0 to a day; None if the header is absent, is neither, or is more.

    A date counts from the answer's `Date`, so that a wrong clock on either side does not
    matter; without one, from our clock.
    """
    text = (retry_after or "").strip()
    if _SECONDS.fullmatch(text):
        return _within_a_day(float(text[:LENGTH_MAX]))
    until = moment(text)
    if until is None:
        return None
    asked_at = moment(date) or datetime.now(UTC)
    return _within_a_day(max(0.0, (until - asked_at).total_seconds()))


def _within_a_day(seconds: float) -> float | None:
    return seconds if seconds <= SECONDS_MAX else None


def moment(header: str | None) -> datetime | None:
    """A header's date, in UTC; None if it is absent or not a date."""
    text = (header or "").strip()
    if not 0 < len(text) <= LENGTH_MAX:
        return None
    try:
        parsed = parsedate_to_datetime(text)
        # With a time zone, a moment of the first or last year may be out of range.
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError, TypeError, IndexError):  # Raised for bytes that are no date.
        return None
