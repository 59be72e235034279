"""How far a file is sent: the lines that are under way are never far apart. Pure."""

from collections.abc import Iterable

WINDOW_LINES = 1_000  # What may go again after an interruption.


class Window:
    def __init__(self) -> None:
        self._under_way: dict[int, None] = {}  # In the order of their numbers.
        self._last = 0

    def has_room(self, number: int) -> bool:
        return number - self.resume_at < WINDOW_LINES or not self._under_way

    def read(self, number: int) -> None:
        self._last = number
        self._under_way[number] = None

    def passed(self, number: int) -> None:
        """A line that is not sent."""
        self._last = number

    def settled(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._under_way.pop(number, None)

    @property
    def resume_at(self) -> int:
        """The first line that was not accepted or reported."""
        return next(iter(self._under_way), self._last + 1)
