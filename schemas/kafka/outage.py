"""Partitions that do not take our writes now; one log line at the begin and one at the end."""

import time
from collections.abc import Callable

import structlog

from schemas.records import TopicPartition

# A partition counts as available after so long without another failure,
FRESH_SECONDS = 15.0
# and at once if another one that failed with it takes writes again.
QUIET_SECONDS = 3.0
log = structlog.get_logger()


class Outage:
    def __init__(self, follows: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._follows = follows  # What happens meanwhile, for the log.
        self._clock = clock
        self._failing: dict[TopicPartition | None, float] = {}

    @property
    def is_on(self) -> bool:
        """Whether a write failed lately, with none of that partition that succeeded since."""
        if not self._failing:
            return False
        self._end_if_over(FRESH_SECONDS)
        return bool(self._failing)

    def failed(self, place: TopicPartition | None, error: object) -> None:
        """A write to this partition failed; `None` is Kafka as a whole."""
        if not self._failing:
            log.warning(
                "Kafka takes no writes",
                topic=place and place.topic,
                partition=place and place.partition,
                follows=self._follows,
                error=str(error),
            )
        self._failing[place] = self._clock()

    def stored(self, place: TopicPartition | None) -> None:
        if self._failing:  # Hardly ever: this is the hot path.
            is_again = self._failing.pop(place, None) is not None
            # A partition that failed may be no more: its topic may have been made anew.
            self._end_if_over(QUIET_SECONDS if is_again else FRESH_SECONDS)

    def _end_if_over(self, quiet_seconds: float) -> None:
        old = self._clock() - quiet_seconds
        if all(at < old for at in self._failing.values()):
            self._failing.clear()
            log.info("Kafka takes writes again")
