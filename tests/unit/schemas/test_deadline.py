"""When a next step is due, over a loop whose time passes when the test says so."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from schemas.deadline import Deadline


class Loop:
    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[asyncio.TimerHandle] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        loop: Any = self
        self.timers.append(asyncio.TimerHandle(self.now + seconds, callback, (), loop))
        return self.timers[-1]

    def get_debug(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self.timers.remove(handle)

    def pass_until(self, now: float) -> None:
        while due := [timer for timer in self.timers if timer.when() <= now]:
            first = min(due, key=asyncio.TimerHandle.when)
            self.timers.remove(first)
            self.now = first.when()
            first._run()
        self.now = now


class Steps:
    """A deadline, and when it passed."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.late: list[float] = []
        loop: Any = self.loop
        self.deadline = Deadline(loop, lambda: self.late.append(self.loop.now))


@pytest.fixture
def steps() -> Steps:
    return Steps()


def test_a_due_time_that_moves_takes_one_timer(steps: Steps) -> None:
    for now in range(10):
        steps.loop.pass_until(now)
        steps.deadline.set(5)
        assert len(steps.loop.timers) == 1
    steps.loop.pass_until(100)
    assert steps.late == [14]


def test_a_due_time_that_comes_nearer_is_kept(steps: Steps) -> None:
    steps.deadline.set(60)
    steps.deadline.set(5)
    steps.loop.pass_until(100)
    assert steps.late == [5]


@pytest.mark.parametrize("end", [Deadline.clear, Deadline.forget])
def test_a_step_that_was_taken_is_not_late(steps: Steps, end: Callable[[Deadline], None]) -> None:
    steps.deadline.set(5)
    end(steps.deadline)
    assert steps.deadline.due is None
    steps.loop.pass_until(100)
    assert steps.late == []


def test_after_a_late_step_the_next_has_its_own_time(steps: Steps) -> None:
    steps.deadline.set(5)
    steps.loop.pass_until(6)
    steps.deadline.set(5)
    steps.loop.pass_until(100)
    assert steps.late == [5, 11]
