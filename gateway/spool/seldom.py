"""For what is said again and again: once a minute."""

import math
import time

SECONDS = 60.0


class Seldom:
    def __init__(self) -> None:
        self._said_at = -math.inf

    def is_due(self) -> bool:
        """Whether to say it now."""
        now = time.monotonic()
        if now - self._said_at < SECONDS:
            return False
        self._said_at = now
        return True
