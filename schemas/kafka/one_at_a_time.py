"""A turn that several wait for, without a task for each."""

from collections import deque
from collections.abc import Callable


class OneAtATime:
    """Starts one thing after the other, each when the one before is over."""

    def __init__(self) -> None:
        self._is_busy = False
        self._waiting: deque[Callable[[], None]] = deque()

    def begin(self, start: Callable[[], None]) -> None:
        if self._is_busy:
            self._waiting.append(start)
        else:
            self._is_busy = True
            start()

    def over(self, _: object = None) -> None:
        if self._waiting:
            self._waiting.popleft()()
        else:
            self._is_busy = False
