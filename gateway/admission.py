"""How much is let in: bytes in flight, and events a second of one source. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class Budget:
    """Bytes that wait for Kafka's acknowledgement."""

    limit: int
    used: int = 0

    def take(self, size: int) -> bool:
        """Whether there was room. A request larger than the whole budget may go alone."""
        if self.used and self.used + size > self.limit:
            return False
        self.used += size
        return True

    def give_back(self, size: int) -> None:
        self.used -= size


class TokenBucket:
    """A rate with one second's burst; a batch may overdraw it and is then paid off."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = max(rate, 1.0)
        self._at = now

    def take(self, count: int, now: float) -> float:
        """0 when the events may pass, else after how many seconds to come again."""
        burst = max(self._rate, 1.0)
        self._tokens = min(burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
        needed = min(float(count), burst)
        if self._tokens < needed:
            return (needed - self._tokens) / self._rate
        self._tokens -= count
        return 0.0
