"""When an outage begins and ends, in time that the test makes pass."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.types import EventDict

from schemas.kafka.outage import FRESH_SECONDS, QUIET_SECONDS, Outage
from schemas.records import TopicPartition

FIRST, SECOND = TopicPartition("t", 0), TopicPartition("t", 1)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def said() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines


def test_it_ends_when_each_partition_that_failed_takes_writes_again(
    said: list[EventDict],
) -> None:
    clock = Clock()
    it = Outage("they wait", clock)
    for _ in range(5):
        it.failed(FIRST, "away")
        it.failed(SECOND, "away")
    states = []
    for place in (FIRST, SECOND):
        it.stored(place)
        states.append(it.is_on)

    assert states == [True, False]
    assert [line["log_level"] for line in said] == ["warning", "info"]


def test_it_ends_when_one_that_failed_takes_writes_and_nobody_writes_to_the_others() -> None:
    clock = Clock()
    it = Outage("they wait", clock)
    it.failed(FIRST, "away")
    it.failed(SECOND, "away")
    clock.now += QUIET_SECONDS + 1
    it.stored(SECOND)

    assert not it.is_on


def test_a_partition_that_goes_on_failing_is_one_outage_whatever_others_do(
    said: list[EventDict],
) -> None:
    clock = Clock()
    it = Outage("they wait", clock)
    for _ in range(20):
        it.failed(FIRST, "no leader")
        it.stored(SECOND)
        clock.now += FRESH_SECONDS - 1
        it.stored(SECOND)
        assert it.is_on
    assert [line["log_level"] for line in said] == ["warning"]


def test_what_nobody_wrote_to_since_counts_as_mended_after_a_while() -> None:
    clock = Clock()
    it = Outage("they wait", clock)
    it.failed(FIRST, "away")
    clock.now += FRESH_SECONDS + 1

    assert not it.is_on


def test_the_end_is_said_though_one_that_failed_is_no_more(said: list[EventDict]) -> None:
    clock = Clock()
    it = Outage("they wait", clock)
    it.failed(SECOND, "its topic was deleted")  # And made anew, with one partition.
    clock.now += FRESH_SECONDS + 1
    it.stored(FIRST)

    assert [line["log_level"] for line in said] == ["warning", "info"]
