"""How much of an API's cost a key may spend: sums over sliding windows (amplitude-read.md#cost)."""

from collections import deque
from collections.abc import Sequence

from ampgate.lab.simulators.model import Violations


class CostLimit:
    """So much in any so many seconds; several windows hold together."""

    def __init__(self, what: str, windows: Sequence[tuple[int, float]]) -> None:
        self._what, self._windows = what, windows
        self._spent: deque[tuple[float, int]] = deque()

    def refusal(self, cost: int, now: float, violations: Violations) -> str | None:
        """Spend it; else which limit it is over, in words."""
        longest = max(seconds for _, seconds in self._windows)
        while self._spent and self._spent[0][0] <= now - longest:
            self._spent.popleft()
        for limit, seconds in self._windows:
            spent = sum(one for at, one in self._spent if at > now - seconds)
            if spent + cost > limit:
                said = f"{self._what}: {spent + cost} in {seconds:g} s, {limit} are allowed"
                violations.note(said)
                return said
        self._spent.append((now, cost))
        return None
