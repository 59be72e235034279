"""What failed together is sent again alone, whatever was read behind it."""

from consumers.delivery.lanes import Lane
from consumers.delivery.offsets import Offsets
from consumers.delivery.policy import USUAL
from schemas.records import TopicPartition
from tests.unit.consumers.delivery.test_blocked import run_with


def test_the_rest_of_a_group_is_not_sent_with_a_run_behind_it() -> None:
    lane = Lane(TopicPartition("events", 0), Offsets(0), USUAL)
    lane.append_run(run_with([(key, key, None) for key in "abcdefg"]), 0.0)
    lane.open(3)
    lane.paused([lane.queue.popleft() for _ in range(3)])

    assert lane.begin_group(2) == 3
    lane.queue.popleft()
    lane.end_group(2)
    assert lane.begin_group(10) == 2
