"""Moments, as operators write them and as Kafka counts them: milliseconds since 1970. Pure."""

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS_DIGITS = 10  # From 2001 to 2286; 13 digits are the same years in milliseconds.
LAST_MS = 253_402_300_799_999  # The end of the year 9999: the last that can be written.
UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def read_moment(text: str, now_ms: int) -> int:
    """ISO 8601 (UTC unless it says otherwise), how long ago (`90s`, `15m`, `2h`, `7d`), or `now`.

    A number is what records say: seconds or milliseconds since 1970. Nothing is older than that.
    Raises `ValueError`, with words for the operator.
    """
    if text == "now":
        return now_ms
    # Before ISO 8601: Python might read these as days of the year 1767.
    if re.fullmatch(r"\d{10}|\d{13}", text):
        return int(text) * (1_000 if len(text) == SECONDS_DIGITS else 1)
    if ago := re.fullmatch(r"(\d{1,9})([smhd])", text):
        return max(0, now_ms - int(ago[1]) * UNIT_MS[ago[2]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text}: neither ISO 8601 nor a time ago such as 2h") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0, (moment - EPOCH) // timedelta(milliseconds=1))


def write_moment(milliseconds: int) -> str:
    """RFC 3339 in UTC, always as long, so that texts sort as times do.

    A producer may give any time; one out of range becomes the nearest possible.
    """
    moment = EPOCH + timedelta(milliseconds=min(max(milliseconds, 0), LAST_MS))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
