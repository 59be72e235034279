"""Log lines about single records or answers, limited in number."""

import time
from collections.abc import Callable

import structlog

LINES_MAX = 20  # A second; metrics count all of them.
log = structlog.get_logger()


class BoundedLog:
    """At most `LINES_MAX` lines a second; the next line tells how many were left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._second = 0.0
        self._lines = 0
        self._left_out = 0

    def error(self, event: str, **fields: object) -> None:
        now = self._clock()
        if now >= self._second + 1.0:
            self._second, self._lines = now, 0
        if self._lines == LINES_MAX:
            self._left_out += 1
            return
        self._lines += 1
        if self._left_out:
            fields["lines_left_out"] = self._left_out
            self._left_out = 0
        log.error(event, **fields)
