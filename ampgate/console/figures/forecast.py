"""When what waits will be delivered, and when Kafka will delete it. Pure."""

from dataclasses import dataclass

SLOPE_SECONDS = 300.0  # The pace of the last minutes is the pace of the next.
STILL_RATE = 0.05  # Records a second; less is no movement.
FAR_SECONDS = 30 * 86_400.0  # Beyond that a time says nothing.


@dataclass(frozen=True, slots=True)
class Forecast:
    """Times in seconds since 1970; None where there is none, or it is not known.

    `empty_at` is None if what waits does not get less. `deleted_at` is when retention reaches the
    oldest record, if it is still there then.
    """

    empty_at: float | None = None
    deleted_at: float | None = None
    growing: float = 0.0  # Records a second.

    @property
    def loses(self) -> bool:
        """Whether records would be deleted before they are delivered."""
        if self.deleted_at is None:
            return False
        return self.empty_at is None or self.empty_at > self.deleted_at


def forecast(
    waiting: float,
    slope: float | None,
    oldest_seconds: float,
    retention_seconds: float | None,
    now: float,
) -> Forecast:
    """From what waits now and how that has changed a second lately."""
    if waiting <= 0:
        return Forecast()
    deleted_at = None if retention_seconds is None else now + retention_seconds - oldest_seconds
    if slope is None or abs(slope) < STILL_RATE:
        return Forecast(None, deleted_at)
    if slope > 0:
        return Forecast(None, deleted_at, growing=slope)
    seconds = waiting / -slope
    return Forecast(now + seconds if seconds < FAR_SECONDS else None, deleted_at)
