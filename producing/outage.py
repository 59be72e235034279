"""Which partitions do not take our writes now: one log line when that begins, one when it ends."""

import logging
import time

from schemas.records import TopicPartition

# After so long without another failed write a partition counts as mended, if nobody wrote to it.
FRESH_SECONDS = 15.0
_logger = logging.getLogger("ampgate.kafka")


class Outage:
    def __init__(self, follows: str) -> None:
        self._follows = follows  # What it means for those who write.
        self._failing: dict[TopicPartition | None, float] = {}

    @property
    def is_on(self) -> bool:
        """Whether a write failed lately, with none of that partition that succeeded since."""
        if not self._failing:
            return False
        self._end_if_over()
        return bool(self._failing)

    def failed(self, place: TopicPartition | None, error: object) -> None:
        """A write to this partition failed; `None` is Kafka as a whole."""
        if not self._failing:
            where = "any topic" if place is None else f"{place.topic}/{place.partition}"
            _logger.warning("Kafka takes no writes to %s, %s: %s", where, self._follows, error)
        self._failing[place] = time.monotonic()

    def stored(self, place: TopicPartition | None) -> None:
        if self._failing:  # Else there is nothing to end, as after nearly all writes.
            self._failing.pop(place, None)
            self._end_if_over()

    def _end_if_over(self) -> None:
        old = time.monotonic() - FRESH_SECONDS
        for place, at in list(self._failing.items()):
            if at < old:
                del self._failing[place]
        if not self._failing:
            _logger.info("Kafka takes writes again")
