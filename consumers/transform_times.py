"""How long users' functions take: they run in the loop that delivers to all destinations."""

import signal
import time
from typing import Any

import structlog

from consumers.destinations.shaping.functions import Function
from consumers.interruption import Interruption, NotReturnedError
from schemas.topics import Kind

SLOW_SECONDS = 0.05
log = structlog.get_logger()


class Timed:
    """A function, of which each call is counted; the first slow one is logged, and the first that
    had to be interrupted (consumers/interruption.py).
    """

    def __init__(self, destination: str, function: Function) -> None:
        self._destination = destination
        self._function = function
        from consumers.metrics import TRANSFORM_SECONDS  # Every command imports us, few need it.

        self._seconds = TRANSFORM_SECONDS.labels(destination)
        self._is_told_slow = self._is_told_stuck = False
        interruption.begin()

    def __call__(self, event: dict[str, Any], kind: Kind) -> object:
        interruption.calls += 1
        started = time.perf_counter()
        try:
            return self._function(event, kind)
        except NotReturnedError as error:
            self._stuck(str(error))
            raise
        except KeyboardInterrupt as error:
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                raise  # Somebody's Ctrl-C, in a command without a loop.
            raise RuntimeError("KeyboardInterrupt") from error  # Its own: a loop has a handler.
        finally:
            interruption.calls += 1  # It is over.
            self._took(time.perf_counter() - started)

    def _stuck(self, why: str) -> None:
        if not self._is_told_stuck:
            self._is_told_stuck = True
            log.error(
                "transform did not return, its record is a dead letter",
                destination=self._destination,
                why=why,
            )

    def _took(self, seconds: float) -> None:
        self._seconds.observe(seconds)
        if seconds > SLOW_SECONDS and not self._is_told_slow:
            self._is_told_slow = True
            log.warning(
                "transform is slow, fewer records are read at once",
                destination=self._destination,
                milliseconds=round(seconds * 1000),
            )


interruption = Interruption(Timed.__call__.__code__)
