"""How much at once: half as many requests when the destination suffers, a little more when not."""

from random import Random

from consumers.delivery.outcomes import Pause, Retry

FAILURES_TO_OPEN = 5  # In a row, nothing delivered between: the destination is away.
BACKOFF_FIRST_SECONDS = 0.25
BACKOFF_LAST_SECONDS = 20.0
PROBE_SECONDS = 15.0  # A paused destination is probed at least every 30 s (product.md §5).
CUT_SECONDS = 1.0  # One bad moment costs one halving, however many requests were in it.


class Pace:
    def __init__(self, concurrency: int, random: Random) -> None:
        self._concurrency = concurrency
        self._random = random
        self._limit = float(concurrency)
        self._failures = 0
        self._cut_at = float("-inf")
        self.paused_until = 0.0
        self.paused: str | None = None  # The reason, while nothing gets through.

    @property
    def in_flight_max(self) -> int:
        return 1 if self.paused else max(1, int(self._limit))

    @property
    def is_probing(self) -> bool:
        return self.paused is not None

    def answered(self) -> None:
        """The destination did its work, whatever it said of single records."""
        self._failures = 0
        self.paused = None
        self.paused_until = 0.0
        self._limit = min(self._concurrency, self._limit + 1.0 / self._limit)

    def failed(self, outcome: Retry | Pause, now: float) -> None:
        self._failures += 1
        if now - self._cut_at > CUT_SECONDS:
            self._cut_at = now
            self._limit = max(1.0, self._limit / 2)
        match outcome:
            case Pause(reason):
                self.paused = reason
                self.paused_until = now + self._random.uniform(0.5, 1.0) * PROBE_SECONDS
            case Retry(reason, None):
                if self._failures >= FAILURES_TO_OPEN:
                    self.paused = reason
                    self.paused_until = now + self.backoff(self._failures - FAILURES_TO_OPEN)
            case Retry(reason, after_seconds):
                self.paused = reason
                self.paused_until = max(self.paused_until, now + (after_seconds or 0.0))

    def backoff(self, failures: int) -> float:
        """Seconds, with full jitter, so that many waiters do not come back as one."""
        doubled = BACKOFF_FIRST_SECONDS * 2.0 ** min(failures, 30)
        return self._random.uniform(0.1, 1.0) * min(doubled, BACKOFF_LAST_SECONDS)
