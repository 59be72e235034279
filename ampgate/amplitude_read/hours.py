"""Which hours of an export are asked for next. Pure.

Hours are counted since 1970. One request takes several while they are small, fewer when Amplitude
says that they are too many (amplitude-read.md#export: 400 over 4 GB, 504 too large to finish).
"""

from dataclasses import dataclass
from datetime import UTC, datetime

HOUR_MS = 3_600_000
LAG_HOURS = 2  # So long after its end an hour is complete (amplitude-read.md#export).
WIDTH_MAX = 24
SMALL_BYTES, LARGE_BYTES = 8_000_000, 64_000_000


@dataclass(frozen=True, slots=True, order=True)
class Hours:
    """From `first` to `last`, both included."""

    first: int
    last: int

    @property
    def name(self) -> str:
        return f"{hour_name(self.first)}-{hour_name(self.last)}"

    @property
    def all(self) -> range:
        return range(self.first, self.last + 1)

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __str__(self) -> str:
        """For people."""
        if self.first == self.last:
            return f"the hour {words(self.first)}"
        return f"{len(self)} hours from {words(self.first)}"


class TooLargeError(Exception):
    """One hour alone is more than Amplitude exports."""


@dataclass(slots=True)
class Windows:
    """The hours that are left, and how many of them are asked for at once."""

    left: Hours | None
    width: int = 1

    def next(self) -> Hours | None:
        if self.left is None:
            return None
        return Hours(self.left.first, min(self.left.last, self.left.first + self.width - 1))

    def done(self, hours: Hours) -> None:
        assert self.left is not None, "hours were done that are not asked for"
        assert hours.first == self.left.first, "as above"
        is_all = hours.last >= self.left.last
        self.left = None if is_all else Hours(hours.last + 1, self.left.last)

    def sized(self, size_bytes: int) -> None:
        """The next window by what the last one had."""
        if size_bytes < SMALL_BYTES:
            self.width = min(WIDTH_MAX, self.width * 2)
        elif size_bytes > LARGE_BYTES:
            self.width = max(1, self.width // 2)

    def halve(self, hours: Hours) -> None:
        """Raises `TooLargeError` if there is nothing to halve."""
        if len(hours) == 1:
            raise TooLargeError(str(hours))
        self.width = len(hours) // 2


def hour_of(milliseconds: int) -> int:
    return milliseconds // HOUR_MS


def hour_name(hour: int) -> str:
    """As the export's parameters have it."""
    return f"{datetime.fromtimestamp(hour * 3600, UTC):%Y%m%dT%H}"


def words(hour: int) -> str:
    return f"{datetime.fromtimestamp(hour * 3600, UTC):%Y-%m-%dT%H}:00Z"


def is_complete(hour: int, now_ms: int) -> bool:
    """Whether Amplitude has had the time to show all of it."""
    return (hour + 1 + LAG_HOURS) * HOUR_MS <= now_ms
