"""What is said of lines that were not accepted: the first of each kind, and the others in sum."""

import re
from collections.abc import Callable
from dataclasses import dataclass

EACH_MAX = 5  # Of a kind, one by one.
NUMBERS = re.compile(r"[0-9]+")


@dataclass(slots=True)
class Kind:
    reason: str
    count: int = 0
    first: int = 0  # Of those that are summed up.
    last: int = 0


class Reports:
    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._kinds: dict[str, Kind] = {}

    def report(self, number: int, reason: str) -> None:
        # Where in the line it is wrong, and the like, makes no other kind.
        kind = self._kinds.setdefault(NUMBERS.sub("#", reason), Kind(reason))
        kind.count += 1
        if kind.count <= EACH_MAX:
            self._say(f"line {number}: {reason}")
            return
        kind.first = min(kind.first or number, number)
        kind.last = max(kind.last, number)

    def end(self) -> None:
        for kind in self._kinds.values():
            more = kind.count - EACH_MAX
            if more == 1:
                self._say(f"line {kind.first}: {kind.reason}")
            elif more > 1:
                where = f"between lines {kind.first} and {kind.last}"
                self._say(f"{more} more {where}, such as: {kind.reason}")
