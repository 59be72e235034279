"""Is it the line that is refused, or all that we send? Pure.

Theory of operation: an edge refuses a request as a whole for the sake of one line, and so it is
split until that line is found. A proxy, or a wrong path, refuses whatever it gets. Until an edge
has shown itself by a receipt, refusals of single lines are kept back: the first receipt shows that
they were the lines' own fault, and so does an answer in other words.
"""

from dataclasses import dataclass, field

from ampgate.send.lines import SendError

ALIKE_MAX = 20  # Lines in a row, before any receipt. A file seldom begins with so many bad ones.


@dataclass(slots=True)
class Refusals:
    """What was said to single lines that were refused as a whole request."""

    _kept: list[tuple[int, str]] = field(default_factory=list)
    _is_edge: bool = False

    def refused(self, number: int, reason: str) -> list[tuple[int, str]]:
        """What can be reported now, by line; `SendError` once it is not the lines."""
        if self._is_edge:
            return [(number, reason)]
        in_other_words = self._kept and self._kept[0][1] != reason
        released = self.released() if in_other_words else []
        self._kept.append((number, reason))
        if len(self._kept) == ALIKE_MAX:
            self._kept.clear()
            raise SendError(
                f"each of the first {ALIKE_MAX} lines was refused alike, and none was accepted:"
                f" {reason}: is this the URL of an edge?"
            )
        return released

    def receipt(self) -> list[tuple[int, str]]:
        """It is an edge: what was kept back can be reported."""
        self._is_edge = True
        return self.released()

    def released(self) -> list[tuple[int, str]]:
        kept, self._kept = self._kept, []
        return kept
