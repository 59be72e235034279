"""How an engine stands at one moment: for gauges, and for tests of what it promises."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counts of records. A letter that the shell has taken and not yet reported is in none but
    `unsettled`; else that is the sum of the others.
    """

    unsettled: int  # Read and not settled, whether in memory or parked.
    in_line: int  # To be sent next.
    in_flight: int  # In requests without a reply.
    held: int  # In memory; their user, device or key has to wait.
    rejected: int  # To be taken as dead letters.
    leaving: int  # To be taken and parked.
    parked: int
    bytes: int  # In memory, also of partitions that were revoked.
    oldest: float | None  # When the oldest unsettled record was accepted, in seconds.
    parked_due_at: float | None  # When the next parked one is due.
    concurrency_limit: int  # Requests that may be in flight at once.
    paused: str | None  # Why nothing but probes is sent.
