"""When a run begins, and what follows from cursors that lead nowhere."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from gateway.pulls.journal import Standing
from gateway.pulls.pull import CursorLostError
from gateway.pulls.run import Run, Step
from gateway.pulls.schedule import Schedule, pause

HOUR = 3_600.0
NOW = 1_800_000_000.0


class Given(Run):
    """Its steps lead to these cursors; None ends the run."""

    def __init__(self, cursors: Iterator[str | None]) -> None:
        self._cursors = cursors
        self.asked: list[str | None] = []

    async def step(self, standing: Standing) -> Step:
        self.asked.append(standing.cursor)
        cursor = next(self._cursors)
        if cursor == "lost":
            raise CursorLostError("unknown")
        finished = NOW if cursor is None else None
        return Step(replace(standing, cursor=cursor, finished=finished), 0, 0)


@pytest.mark.parametrize(
    ("since_it_began", "seconds"),
    [(0.0, HOUR), (HOUR / 2, HOUR / 2), (2 * HOUR, 0.0), (-30 * HOUR, HOUR), (1e9, 0.0)],
)
def test_a_run_begins_a_period_after_the_last_one_whatever_the_clock_does(
    since_it_began: float, seconds: float
) -> None:
    assert pause(Standing(1, began=NOW - since_it_began, finished=NOW), HOUR, NOW) == seconds


def test_an_interrupted_run_goes_on_at_once() -> None:
    assert pause(Standing(1, "cursor", began=NOW), HOUR, NOW) == 0.0


async def test_cursors_that_lead_in_a_circle_end_the_run_after_one_more_try() -> None:
    run = Given(iter(["a", "b", "a", "a", "b", "a"]))
    assert await Schedule("p", HOUR, run, None).once() == "the cursors lead in a circle"
    assert run.asked == [None, "a", "b", None, "a", "b"]


async def test_what_is_kept_from_run_to_run_is_where_the_next_one_begins() -> None:
    run = Given(iter(["a", "lost", "lost", None]))
    stood = Standing(3, start="kept", began=1.0, finished=2.0)
    schedule = Schedule("p", HOUR, run, stood)
    assert await schedule.once() == "unknown"
    assert run.asked == ["kept", "a", "kept"]  # It is begun anew once in a run,
    assert await schedule.once() is None
    assert run.asked[3:] == ["kept"]
