"""When a record is written, by our clock; no time at all while Kafka refuses what that shows.

Kafka takes no record from more than an hour after its own time (`message.timestamp.after.max.ms`),
but any without a time, whose age is then that of its file. So a clock that is far ahead stops
neither an edge nor a delivery's letters. What a record needs its time for is in its value (`time`)
and in a letter's headers.
"""

import time
from collections.abc import Callable

import structlog
from aiokafka.errors import InvalidTimestampError

NO_TIMESTAMP = -1  # Kafka's sign of a missing time.
UNTIMED_SECONDS = 60.0  # After a refusal; then the clock may be right again.
log = structlog.get_logger()


class Timestamps:
    def __init__(
        self,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic = monotonic
        self._untimed_until: float | None = None

    def now_ms(self) -> int:
        if self._untimed_until is not None:
            if self._monotonic() < self._untimed_until:
                return NO_TIMESTAMP
            self._untimed_until = None
        return self._wall_ns() // 1_000_000

    def are_refused(self, error: BaseException, *, is_timed: bool) -> bool:
        """Whether the error means the times of a batch; then new records have none for a while."""
        if not is_timed or not isinstance(error, InvalidTimestampError):
            return False
        if self._untimed_until is None:
            log.error("Kafka refuses our clock's time, storing records without", error=str(error))
        self._untimed_until = self._monotonic() + UNTIMED_SECONDS
        return True
