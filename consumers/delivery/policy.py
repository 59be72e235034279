"""How failures are met: one value, which a destination may declare otherwise."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Policy:
    """What is tried again, how soon, and when it is enough."""

    backoff_first_seconds: float = 0.25
    backoff_last_seconds: float = 20.0

    # The destination is away, or refuses all.
    failures_to_open: int = 5  # In a row, nothing delivered between: it is away.
    probe_seconds: float = 15.0  # Paused, it is probed every 30 s at least (contract.md#delivery).
    refusals_max: int = 5  # In a row: then it is not about the records.
    rejects_max: float = 0.5  # A larger share of rejected records: something else is wrong.
    rejects_min: int = 500  # Fewer say nothing about the rest.
    rejects_seen_max: int = 4000  # What was longer ago counts half, and half again.

    # A bad record is sought by halving its batch,
    failures_to_halve: int = 3  # after so many failures in a row,
    rounds_to_halve: int = 5  # or after so many replies that name but a few each.

    # A record fails alone.
    lone_failures_max: int = 20  # So often, amid successes, it is itself bad.
    lone_seconds_max: float = 5.0  # Between its attempts, where the destination is not away.
    attempts_max: int = 10  # Then it may be parked for its room, though the destination is paused.

    park_after_seconds: float = 60.0  # A longer wait is spent in Kafka, not in memory.

    def backoff(self, failures: int, random: Random) -> float:
        """Seconds, with full jitter, so that many waiters do not come back as one."""
        doubled = self.backoff_first_seconds * 2.0 ** min(failures, 30)
        return random.uniform(0.1, 1.0) * min(doubled, self.backoff_last_seconds)


USUAL = Policy()
