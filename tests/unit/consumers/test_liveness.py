"""A partition that is stuck is told of, and one that only waits is not."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from consumers.liveness import HEARD_SECONDS, Facts, Liveness
from schemas.records import TopicPartition

ONE, OTHER = TopicPartition("events", 0), TopicPartition("events", 1)
AFTER_SECONDS = 300.0
LATER = 1000
IDLE = Facts(
    position=50, end=50, committable=50, unsettled=0, waiting=0, may_be_read=True, answer=0
)
UNREAD = replace(IDLE, end=90)
IN_FLIGHT = replace(IDLE, committable=40, unsettled=10)


def at_work(second: int) -> Facts:
    return replace(UNREAD, end=10_000, position=50 + second)


def stuck(
    of_one: Callable[[int], Facts],
    of_other: Callable[[int], Facts] = lambda _: IDLE,
    *,
    is_waiting: bool = False,
    is_answered: bool = True,
) -> list[TopicPartition]:
    """Which are, after they were looked at each second; Kafka answers each time, or never."""
    liveness, answers = Liveness(), count(1)
    for now in range(LATER):
        answer = next(answers) if is_answered else 0
        found = {
            place: replace(of(now), answer=answer)
            for place, of in ((ONE, of_one), (OTHER, of_other))
        }
        liveness.look(found, float(now), is_waiting=is_waiting)
    return liveness.stuck(AFTER_SECONDS, float(LATER))


@pytest.mark.parametrize(
    "facts",
    [
        UNREAD,  # Records that nobody reads.
        IN_FLIGHT,  # Records that nobody settles.
        replace(IN_FLIGHT, waiting=9),  # One of them.
        replace(IDLE, position=None),  # It never got so far as to know where to read.
    ],
)
def test_work_without_progress_is_stuck_while_another_partition_goes_on(facts: Facts) -> None:
    assert stuck(lambda _: facts, at_work) == [ONE]


@pytest.mark.parametrize(
    "facts",
    [
        IDLE,
        replace(IN_FLIGHT, waiting=10),  # All are held or parked.
        replace(UNREAD, may_be_read=False, unsettled=10, waiting=10),  # They are in the way.
    ],
)
def test_what_waits_for_a_known_time_and_what_has_nothing_to_do_is_not_stuck(facts: Facts) -> None:
    assert stuck(lambda _: facts) == []


@pytest.mark.parametrize("facts", [UNREAD, IN_FLIGHT, replace(IDLE, position=None)])
def test_a_paused_destination_and_a_kafka_that_is_away_leave_nobody_stuck(facts: Facts) -> None:
    assert stuck(lambda _: facts, is_waiting=True) == []
    assert stuck(lambda _: facts, is_answered=False) == []


@pytest.mark.parametrize(
    "moved",
    [
        at_work,
        lambda n: replace(IN_FLIGHT, committable=40 + n // 200),
        lambda n: replace(IN_FLIGHT, unsettled=1000 - n // 200),
    ],
)
def test_slow_progress_is_progress(moved: Callable[[int], Facts]) -> None:
    assert stuck(moved) == []


def test_a_pause_that_is_over_starts_the_time_anew() -> None:
    liveness = Liveness()
    for now in range(1000):
        found = {ONE: replace(UNREAD, answer=now)}
        liveness.look(found, float(now), is_waiting=now < 800)
    assert liveness.stuck(AFTER_SECONDS, 1000.0) == []
    assert liveness.stuck(AFTER_SECONDS, 800.0 + 2 * AFTER_SECONDS) == [ONE]


def test_kafka_is_reached_while_it_answers_about_every_partition() -> None:
    liveness = Liveness()
    assert not liveness.is_reached(0.0)  # It was not asked yet.
    for now in range(100):
        answer = min(50, now)
        liveness.look(
            {ONE: replace(IDLE, answer=answer), OTHER: replace(IDLE, answer=now)},
            now,
            is_waiting=False,
        )
        assert liveness.is_reached(now) == (now <= 50 + HEARD_SECONDS)
    assert not Liveness().stuck(0.0, 1e9)


def test_a_partition_that_was_given_away_is_no_longer_judged() -> None:
    liveness = Liveness()
    liveness.look({ONE: UNREAD}, 0.0, is_waiting=False)
    liveness.look({}, 1.0, is_waiting=False)
    assert liveness.stuck(AFTER_SECONDS, 1e6) == []
