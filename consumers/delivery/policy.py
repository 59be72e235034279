"""The retry policy: one value, which a destination may declare."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Policy:
    """What is retried, when, and how often."""

    backoff_first_seconds: float = 0.25
    backoff_last_seconds: float = 20.0

    # When to pause the destination.
    failures_to_open: int = 5  # In a row: the destination is unavailable.
    probe_seconds: float = 15.0  # Paused, it is probed every 30 s at least (contract.md#delivery).
    refusals_max: int = 5  # In a row: the cause is not the records.
    rejects_max: float = 0.5  # A larger share of rejected records pauses it.
    rejects_min: int = 500  # Fewer rejects pause nothing.
    rejects_seen_max: int = 4000  # After so many records, older ones count half.

    # A batch is halved to find a bad record
    failures_to_halve: int = 3  # after so many failures in a row,
    rounds_to_halve: int = 5  # or after so many replies that each name only a few records.

    # A record fails alone while others succeed.
    lone_failures_max: int = 20  # Then it is rejected.
    lone_seconds_max: float = 5.0  # Between its attempts, if it is refused,
    lone_retry_seconds_max: float = 1800.0  # and for a cause that may pass: over two hours in all.
    attempts_max: int = 10  # Then it may be parked for memory, even in an outage.

    park_after_seconds: float = 60.0  # Records held for longer are parked in Kafka.

    def backoff(self, failures: int, random: Random) -> float:
        """Seconds, with full jitter, so that many lanes do not retry at the same moment."""
        return random.uniform(0.1, 1.0) * min(self._doubled(failures), self.backoff_last_seconds)

    def lone_backoff(self, failures: int, random: Random) -> float:
        """Seconds to wait for a record that fails alone: what only some users meet may last."""
        return random.uniform(0.5, 1.0) * min(self._doubled(failures), self.lone_retry_seconds_max)

    def _doubled(self, failures: int) -> float:
        return self.backoff_first_seconds * 2.0 ** min(failures, 30)


USUAL = Policy()
