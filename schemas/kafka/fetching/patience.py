"""An end for those that read what there is: of a partition without a leader nothing would come."""

import time
from collections.abc import Callable

from aiokafka.errors import KafkaTimeoutError

from schemas.kafka.fetching.taken import Taken

SILENT_SECONDS = 30.0  # An election takes a few; Kafka holds back who is over a quota for longer.


class Patience:
    """Of one reading."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard_at = clock()

    def of(self, taken: Taken) -> Taken:
        """The same; raises `KafkaTimeoutError` when nothing has come for so long."""
        if taken:
            self._heard_at = self._clock()
        elif self._clock() - self._heard_at > SILENT_SECONDS:
            raise KafkaTimeoutError(f"nothing was read for {SILENT_SECONDS:g} s")
        return taken
