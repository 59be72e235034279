"""Whether a line is refused, or everything that we send. Pure.

Theory of operation: an edge refuses a whole request because of one line, and so it is split until
that line is found. A proxy, or a wrong path, refuses everything. Until the first receipt of an
edge, refusals of single lines are held back: a receipt, or a refusal in other words, shows that
these lines are the cause.
"""

from dataclasses import dataclass, field

from ampgate.errors import CommandError

ALIKE_MAX = 20  # Refused lines in a row before any receipt: few files begin so.


@dataclass(slots=True)
class Refusals:
    """The answers to single lines that were refused as a whole request."""

    _kept: list[tuple[int, str]] = field(default_factory=list)
    _is_edge: bool = False

    def refused(self, number: int, reason: str) -> list[tuple[int, str]]:
        """The refusals to report now, by line; raises `CommandError` if the lines are not the
        cause."""
        if self._is_edge:
            return [(number, reason)]
        in_other_words = self._kept and self._kept[0][1] != reason
        released = self.released() if in_other_words else []
        self._kept.append((number, reason))
        if len(self._kept) == ALIKE_MAX:
            self._kept.clear()
            raise CommandError(
                f"each of the first {ALIKE_MAX} lines was refused alike, and none was accepted:"
                f" {reason}: is this the URL of an edge?"
            )
        return released

    def receipt(self) -> list[tuple[int, str]]:
        """An edge sent a receipt: report the refusals that were held back."""
        self._is_edge = True
        return self.released()

    def released(self) -> list[tuple[int, str]]:
        kept, self._kept = self._kept, []
        return kept
