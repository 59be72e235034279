"""A function that does not return gets an exception; nothing else does."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from consumers.interruption import TICKS_MAX, Interruption, NotReturnedError

Tick = Callable[[], None]


class Calls:
    """As `Timed` makes them; the function is given what stands for a second that passes."""

    def __init__(self) -> None:
        self.interruption = Interruption(Calls.call.__code__)

    def call(self, function: Callable[[Tick], object]) -> object:
        self.interruption.calls += 1
        try:
            return function(self.tick)
        finally:
            self.interruption.calls += 1

    def tick(self) -> None:
        self.interruption.tick(0, sys._getframe(1))


def waits(seconds: int) -> Callable[[Tick], object]:
    def function(tick: Tick) -> object:
        for _ in range(seconds):
            tick()
        return "returned"

    return function


def test_a_call_that_does_not_return_is_interrupted_and_says_where_it_was() -> None:
    with pytest.raises(NotReturnedError, match=r"within 5 s: it was at line \d+ of .*function"):
        Calls().call(waits(TICKS_MAX + 1))


def test_a_call_that_returns_in_time_is_not() -> None:
    calls = Calls()
    for _ in range(3):
        assert calls.call(waits(TICKS_MAX)) == "returned"


def test_what_is_no_call_is_never_interrupted() -> None:
    calls = Calls()
    calls.call(waits(1))
    for _ in range(3 * TICKS_MAX):
        calls.tick()
    assert calls.call(waits(TICKS_MAX)) == "returned"


def test_a_function_that_catches_it_once_is_interrupted_again() -> None:
    caught = []

    def stubborn(tick: Tick) -> object:
        try:
            waits(TICKS_MAX + 1)(tick)
        except BaseException as error:  # noqa: BLE001  As a function may.
            caught.append(type(error))
        return waits(2 * TICKS_MAX)(tick)

    with pytest.raises(NotReturnedError):
        Calls().call(stubborn)
    assert caught == [NotReturnedError]


ENDS = """
import signal
from consumers import interruption

interruption.TICK_SECONDS = 0.0002
watching = interruption.Interruption((lambda: None).__code__)
watching.install()
watching.begin()
for _ in range(3):
    signal.pause()
watching.end()
"""


def test_no_tick_ends_a_process_that_ends_by_itself() -> None:
    ended = subprocess.run([sys.executable, "-c", ENDS], check=False)

    assert ended.returncode == 0
