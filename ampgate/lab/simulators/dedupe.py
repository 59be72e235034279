"""Which events Amplitude has seen: (device_id, insert_id) for seven days
(amplitude.md#deduplication).
"""

from enum import Enum, auto

WINDOW_SECONDS = 7 * 24 * 3600
_SECONDS_BITS = 40
_SECONDS_MASK = (1 << _SECONDS_BITS) - 1
_CONTENT_MASK = (1 << 32) - 1


class Seen(Enum):
    NEW = auto()
    DUPLICATE = auto()
    CHANGED = auto()  # The same key with other content: the first one wins, silently.


class Dedupe:
    """Keys and values are single integers: half a million events are some 60 MB, not 400.

    A key is the 64-bit hash of both ids: among a million keys two collide with odds of 1 to 10⁷.
    A value holds the second it was first seen and 32 bits of its content's hash.
    """

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._oldest_second = 0
        self.distinct = 0
        self.duplicates = 0

    def see(self, device: str, insert_id: str, content: int, now: float) -> Seen:
        second = int(now)
        seen = self._seen
        key = hash((device, insert_id))
        known = seen.get(key)
        if known is not None and second - (known & _SECONDS_MASK) < WINDOW_SECONDS:
            self.duplicates += 1
            same = known >> _SECONDS_BITS == content & _CONTENT_MASK
            return Seen.DUPLICATE if same else Seen.CHANGED
        seen.pop(key, None)  # Inserted anew, so that the order stays that of time.
        seen[key] = (content & _CONTENT_MASK) << _SECONDS_BITS | second
        self.distinct += 1
        if second - self._oldest_second >= WINDOW_SECONDS:
            self._forget(second)
        return Seen.NEW

    def _forget(self, second: int) -> None:
        for _ in range(2):  # Two out for one in: it shrinks without ever pausing.
            oldest = next(iter(self._seen))
            self._oldest_second = self._seen[oldest] & _SECONDS_MASK
            if second - self._oldest_second < WINDOW_SECONDS:
                return
            del self._seen[oldest]
