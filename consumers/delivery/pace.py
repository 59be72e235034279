"""How many requests at once: halved after failures, fewer after slow answers, more after
successes."""

from random import Random

from consumers.delivery.destination import Limits
from consumers.delivery.outcomes import THROTTLED, Pause, Retry

START = 32.0  # One more with each answer, until the first failure.
CUT_SECONDS = 1.0  # At most one halving in this time, however many requests failed.
CEILING_SECONDS = 600.0  # How long a refused size is not tried again.
TOO_MANY_REJECTS = "too_many_rejects"
SLOW_CUT = 0.9
SLOW_LIMIT_MIN = 8.0  # Slow answers alone never reduce it further.
SLOW_FACTOR = 2.0
SLOW_SECONDS = 0.1  # A smaller difference may be caused by this process.
LEAST_SECONDS = 30.0  # How long the quickest answer is remembered, at least.
USUAL_WEIGHT = 0.1
NEVER = float("-inf")
_TIMEOUTS = ("timeout", "status_408", "status_504")


class Wait:
    """Until when a destination told us to wait; shared by all topics of the same API key."""

    until = 0.0


class Latency:
    """Whether answers take much longer than the quickest: our requests queue there."""

    def __init__(self) -> None:
        self._usual = 0.0
        self._least = self._least_before = float("inf")
        self._renewed_at = NEVER

    def is_slow(self, seconds: float, now: float) -> bool:
        """Take one more answer's time; returns whether answers are slow now."""
        if now > self._renewed_at + LEAST_SECONDS:
            self._least_before, self._least = self._least, seconds
            self._renewed_at = now
        if seconds < self._least:
            self._least = seconds
        self._usual += USUAL_WEIGHT * (seconds - self._usual)
        if self._usual <= SLOW_SECONDS:
            return False
        least = min(self._least, self._least_before)
        return self._usual > max(SLOW_FACTOR * least, least + SLOW_SECONDS)


class Pace:
    """`in_flight_max`, `records_max` and `bytes_max` limit what may be sent now."""

    def __init__(self, limits: Limits, random: Random, wait: Wait | None = None) -> None:
        self._limits = limits
        self._policy = limits.policy
        self._random = random
        self._wait = wait or Wait()
        # Latencies are comparable only where all requests have one record.
        self._latency = Latency() if limits.records == 1 else None
        self._limit = min(START, float(limits.concurrency))
        self._failures = 0
        self._cut_at = NEVER
        self._open_until = 0.0
        self._bytes_ceiling = limits.bytes
        self._ceiling_until = 0.0
        self._rejected = self._judged = 0.0
        self.bytes_max = limits.bytes
        self.records_max = limits.records
        self.paused: str | None = None  # The reason, while the destination is paused.
        self._is_refused = False  # Paused by a refusal, not by an outage.

    @property
    def paused_until(self) -> float:
        return max(self._open_until, self._wait.until)

    def probe_seconds(self, now: float) -> float:
        """Seconds until the next probe of a paused destination; 0 where it is not paused."""
        return max(0.0, self._open_until - now) if self.paused else 0.0

    @property
    def in_flight_max(self) -> int:
        return 1 if self.paused else int(self._limit)  # 1 at least, as all that it is set to.

    def may_send(self, in_flight: int, now: float) -> bool:
        """Whether one more request may be sent, with so many in flight."""
        if now < self._open_until or now < self._wait.until:
            return False
        return in_flight + 1 <= self._limit if self.paused is None else in_flight == 0

    @property
    def room(self) -> int:
        """How many records the next request may have: a probe has one."""
        return self.records_max if self.paused is None else 1

    def answered(self, seconds: float, now: float) -> None:
        """The destination answered, whatever its answer says of single records."""
        if now < self._wait.until:
            return  # It was sent before we were told to wait.
        self._failures = 0
        self.paused = None
        self._open_until = 0.0
        self._adapt(seconds, now)
        limits = self._limits
        if self.records_max < limits.records:
            self.records_max = min(limits.records, self.records_max + 1 + self.records_max // 16)
        if self.bytes_max < limits.bytes:
            if now >= self._ceiling_until:
                self._bytes_ceiling = limits.bytes
            grown = self.bytes_max + self.bytes_max // 32
            self.bytes_max = min(grown, max(self.bytes_max, self._bytes_ceiling * 15 // 16))

    def _adapt(self, seconds: float, now: float) -> None:
        """Allow one more at once, or fewer where answers are slow."""
        if self._latency is None or not self._latency.is_slow(seconds, now):
            if self._limit < self._limits.concurrency:
                more = 1.0 if self._cut_at == NEVER else 1.0 / self._limit
                self._limit = min(self._limits.concurrency, self._limit + more)
        elif now - self._cut_at > CUT_SECONDS and self._limit > SLOW_LIMIT_MIN:
            self._cut_at = now
            self._limit = max(SLOW_LIMIT_MIN, self._limit * SLOW_CUT)

    def too_large(self, size: int, now: float) -> None:
        """A request with so many bytes of records was refused (413)."""
        if size <= self._bytes_ceiling:
            self._bytes_ceiling = size
            self._ceiling_until = now + CEILING_SECONDS
            self.bytes_max = max(1, min(self.bytes_max, size // 2))

    def failed(self, outcome: Retry | Pause, now: float) -> None:
        if now - self._cut_at > CUT_SECONDS:
            self._cut_at = now
            self._limit = max(1.0, self._limit / 2)
            if outcome.reason in _TIMEOUTS:
                self.records_max = max(1, self.records_max // 2)
        match outcome:
            case Pause(reason):
                self.paused, self._is_refused = reason, True
                self._open_until = now + self._random.uniform(0.5, 1.0) * self._policy.probe_seconds
            case Retry(reason, seconds) if (seconds or 0.0) >= self._policy.backoff_first_seconds:
                self._is_away(reason)
                self._wait.until = max(self._wait.until, now + (seconds or 0.0))
            case Retry(reason):
                self._failures += 1
                opens_at = self._policy.failures_to_open
                # Requests that were in flight when the pause began do not prolong it.
                if self._failures >= opens_at and now >= self._open_until:
                    self._is_away(reason)
                    self._open_until = now + self.backoff(self._failures - opens_at)

    def _is_away(self, reason: str) -> None:
        """In an outage each failure may have another reason: it is one pause, with the first."""
        is_outage = self.paused is not None and not self._is_refused
        if not is_outage or THROTTLED in (self.paused, reason):
            self.paused = reason
        self._is_refused = False

    def nothing_to_send(self, now: float) -> None:
        """There is nothing to probe it with, as others have its records now: after some time nobody
        knows whether it would take them.
        """
        if now > self.paused_until + self._policy.probe_seconds:
            self.paused = None

    def judged(self, records: int, rejected: int) -> bool:
        """Whether so many, of these too, are rejected that the destination must be paused."""
        if self.paused == TOO_MANY_REJECTS:
            # A delivered probe ends the pause; a rejected one does not.
            if rejected:
                return True
            self._rejected = self._judged = 0.0
        self._rejected += rejected
        self._judged += records
        if self._judged > self._policy.rejects_seen_max:
            self._rejected /= 2
            self._judged /= 2
        is_enough = self._rejected >= self._policy.rejects_min
        is_most = self._rejected > self._policy.rejects_max * self._judged
        return rejected > 0 and is_enough and is_most

    def backoff(self, failures: int) -> float:
        """Seconds until the next attempt after so many failures."""
        return self._policy.backoff(failures, self._random)

    def lone_backoff(self, failures: int) -> float:
        """As above, of a record that failed alone so often while others succeeded."""
        return self._policy.lone_backoff(failures, self._random)
