"""How long users' functions take: they run in the loop that delivers to all destinations."""

import time
from typing import Any

import structlog

from consumers.destinations.shaping.functions import Function
from consumers.metrics import TRANSFORM_SECONDS
from schemas.topics import Kind

SLOW_SECONDS = 0.05
log = structlog.get_logger()


def timed(destination: str, function: Function) -> Function:
    """Each call is counted; the first slow one is logged."""
    seconds = TRANSFORM_SECONDS.labels(destination)
    is_logged = False

    def call(event: dict[str, Any], kind: Kind) -> object:
        nonlocal is_logged
        started = time.perf_counter()
        try:
            return function(event, kind)
        finally:
            took = time.perf_counter() - started
            seconds.observe(took)
            if took > SLOW_SECONDS and not is_logged:
                is_logged = True
                log.warning(
                    "transform is slow, fewer records are read at once",
                    destination=destination,
                    milliseconds=round(took * 1000),
                )

    return call
