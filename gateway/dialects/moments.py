"""Points in time as vendors write them, in milliseconds since the epoch."""

import math
import re
from datetime import UTC, datetime

_LEAP_SECOND = re.compile(r"(T\d\d:\d\d):60", re.IGNORECASE)
SECONDS_MAX = 100_000_000_000  # A larger number is milliseconds (aampe.md#not-known).
MILLISECONDS_MAX = 2**53  # Past it, a JSON number is no longer exact.
MOMENT_CHARACTERS_MAX = 100  # Longer ones are no moment, and not searched for one.


def milliseconds_of_number(number: float) -> int | None:
    """Seconds with decimals, or milliseconds."""
    if not math.isfinite(number):
        return None
    milliseconds = number if abs(number) > SECONDS_MAX else number * 1000
    return round(milliseconds) if abs(milliseconds) <= MILLISECONDS_MAX else None


def milliseconds_of(moment: object) -> int | None:
    """An ISO 8601 text (UTC, if it says no zone) or a number, also as text."""
    if not isinstance(moment, str):
        if isinstance(moment, bool) or not isinstance(moment, int | float):
            return None
        return milliseconds_of_number(moment)
    if len(moment) > MOMENT_CHARACTERS_MAX:
        return None
    if (
        moment[-1:] == "Z"
        and moment.isupper()
        and (usual := _milliseconds_of_utc(moment)) is not None
    ):
        return usual
    if moment.isascii() and moment.isdecimal() and 9 < len(moment) < 17:
        # Python would read some of them as dates: 1711120512345 as December 1711.
        return milliseconds_of_number(int(moment))
    if ":60" in moment:
        moment = _LEAP_SECOND.sub(r"\1:59", moment)
    try:
        parsed = datetime.fromisoformat(moment.strip().upper())  # RFC 3339 allows `t` and `z`.
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
        return round(parsed.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _milliseconds_of_utc(moment: str) -> int | None:
    """As most write it, in two thirds of the time; None where it has to be looked at closer."""
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return None if parsed.tzinfo is None else round(parsed.timestamp() * 1000)
