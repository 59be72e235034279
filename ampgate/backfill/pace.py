"""How fast history may go. Pure.

Amplitude takes 300 events a second of one device for history (amplitude.md#per-user-limits); its
usual limit is above that. What is parked and not yet delivered stays below `BACKLOG_MAX`: a live
event of a user waits behind no more than that.
"""

from collections import Counter
from dataclasses import dataclass, field

BACKLOG_MAX = 2_000
DEVICE_A_SECOND = 300


@dataclass(slots=True)
class DevicePace:
    """So many events of a device in any second that has begun."""

    second: float = 0.0
    _counts: Counter[str] = field(default_factory=Counter)

    def wait_seconds(self, device: str, now: float) -> float:
        """Until one more may go; counts it if that is now."""
        if now >= self.second + 1.0:
            self.second = now
            self._counts.clear()
        if self._counts[device] >= DEVICE_A_SECOND:
            return self.second + 1.0 - now
        self._counts[device] += 1
        return 0.0
