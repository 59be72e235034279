"""A wall clock that is set holds nobody for longer, and wakes nobody early."""

import pytest

from consumers.clock import Clock
from consumers.delivery.clocks import WAIT_SECONDS_MAX, Held, inherited, until_here
from consumers.delivery.parking import wakes_at
from schemas.letters import LetterHeaders
from tests.simulation.log import Kept

HOUR = 3600.0
NOW = 1_763_715_600.0


class Times:
    wall = NOW
    monotonic = 50.0


@pytest.mark.parametrize("jump", [-HOUR, HOUR, -30 * 365 * 24 * HOUR])
def test_the_engine_s_clock_starts_at_the_wall_clock_s_time_and_does_not_follow_its_jumps(
    jump: float,
) -> None:
    times = Times()
    clock = Clock(lambda: times.wall, lambda: times.monotonic)
    assert clock() == NOW

    times.wall += jump + 10.0
    times.monotonic += 10.0
    assert clock() == NOW + 10.0


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (NOW, NOW + 60.0),
        (NOW + 20.0, NOW + 60.0),
        (NOW + HOUR, NOW + 60.0),  # It is over.
        (NOW - HOUR, NOW - HOUR + 60.0),  # Set back: for as long as was meant.
    ],
)
def test_a_wait_that_another_process_wrote_down_is_never_longer_than_it_meant(
    now: float, until: float
) -> None:
    assert until_here(NOW + 60.0, NOW, now) == until
    held = {7: Held("user", "throttled", NOW + 60.0)}
    assert inherited(held, NOW, now) == {7: Held("user", "throttled", until)}
    letter = LetterHeaders("a", "r", "", None, 1, NOW, not_before=NOW + 60.0, parked_at=NOW)
    assert wakes_at(letter, Kept("parked", 0, 0, b"k", b"", None, 0), now) == until


def test_nobody_waits_for_more_than_a_day_whoever_says_so() -> None:
    assert until_here(1e12, None, NOW) == NOW + WAIT_SECONDS_MAX
    letter = LetterHeaders("a", "r", "", None, 1, NOW, not_before=253_402_300_799.0)
    record = Kept("parked", 0, 0, b"k", b"", None, int(NOW * 1000))
    assert wakes_at(letter, record, NOW) == NOW + WAIT_SECONDS_MAX


def test_a_record_that_was_parked_without_a_time_waits_for_nothing() -> None:
    letter = LetterHeaders("a", "r", "", None, 1, NOW)
    assert wakes_at(letter, Kept("parked", 0, 0, b"k", b"", None, 0), NOW) == NOW
