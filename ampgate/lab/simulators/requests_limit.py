"""So many requests of a key in any so many seconds; more of them is a violation."""

from collections import deque

from ampgate.lab.simulators.model import Violations


class RequestsLimit:
    def __init__(self, requests: int, seconds: float) -> None:
        self._requests, self._seconds = requests, seconds
        self._counted: dict[str, deque[float]] = {}

    def takes(self, key: str, now: float, violations: Violations) -> bool:
        """Count one more, if it is within the limit."""
        counted = self._counted.setdefault(key, deque())
        while counted and counted[0] <= now - self._seconds:
            counted.popleft()
        if len(counted) >= self._requests:
            violations.note(f"more than {self._requests} requests in {self._seconds:g} s")
            return False
        counted.append(now)
        return True
