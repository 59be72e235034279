"""Moments, as operators write them and as Kafka counts them: milliseconds since 1970. Pure."""

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 253_402_300_799_999  # The end of the year 9999: the last that can be written.
UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def read_moment(text: str, now_ms: int) -> int:
    """ISO 8601 (UTC unless it says otherwise), or how long ago, as `90s`, `15m`, `2h`, `7d`.

    Raises `ValueError`, with words for the operator.
    """
    if ago := re.fullmatch(r"(\d{1,9})([smhd])", text):
        return now_ms - int(ago[1]) * UNIT_MS[ago[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text}: neither ISO 8601 nor a time ago such as 2h") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(milliseconds=1)


def write_moment(milliseconds: int) -> str:
    """RFC 3339 in UTC, always as long, so that texts sort as times do.

    A producer may have given a record any time; what no text can say is brought to the nearest.
    """
    moment = EPOCH + timedelta(milliseconds=min(max(milliseconds, 0), LAST_MS))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
