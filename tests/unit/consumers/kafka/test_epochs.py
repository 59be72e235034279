"""Several processes read a log, one after the other, and it loses its end meanwhile."""

from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import LeaderNotAvailableError

from consumers.delivery.offsets import Unfinished
from consumers.kafka.commit_notes import CommitNote
from consumers.kafka.epochs import Epochs
from consumers.kafka.notes import Committed
from schemas.kafka.fetching.taken import NewLeaderError
from schemas.records import TopicPartition
from tests.simulation.consumer import SimulatedConsumer, at_once
from tests.simulation.log import TOPIC, Log

HERE = TopicPartition(TOPIC, 0)
PLACE = KafkaPartition(*HERE)
NOTED, READ = 481, 250  # Up to where the former owner read, and we.


def cut_log(epochs: Sequence[tuple[int, int]], end: int) -> Log:
    log = Log(1)
    log[HERE].epochs, log[HERE].end = [*epochs], end
    return log


def after_a_former_owner(log: Log) -> Epochs:
    """It read up to `NOTED`, where a leader of epoch 2 wrote; then the log was cut."""
    consumer = SimulatedConsumer(log)
    epochs = Epochs(consumer)
    left = Unfinished(NOTED, ())
    epochs.assigned({HERE: Committed(90, CommitNote(left, None, {}, epoch=2))})
    consumer.believe(PLACE, READ, 0)
    return epochs


def test_what_a_former_owner_settled_ends_where_its_log_ended() -> None:
    epochs = after_a_former_owner(cut_log([(0, 0), (3, READ)], end=600))

    assert at_once(epochs.continued(PLACE, NewLeaderError(READ, 0, 3))) == READ


def test_an_older_leader_than_the_former_owner_saw_is_no_cut() -> None:
    epochs = after_a_former_owner(cut_log([(0, 0), (1, READ), (2, 300)], end=600))

    assert at_once(epochs.continued(PLACE, NewLeaderError(READ, 0, 1))) is None


@pytest.mark.parametrize("is_read_anew", [False, True])
def test_a_commit_tells_the_epoch_of_the_log_that_was_read_until_the_other_is(
    *, is_read_anew: bool
) -> None:
    epochs = after_a_former_owner(cut_log([(0, 0), (3, 100)], end=120))

    assert at_once(epochs.beyond(PLACE, READ, begin=0)) == 100
    if is_read_anew:
        epochs.restarted(PLACE, 100)
    assert epochs.before(HERE, NOTED) == (None if is_read_anew else 2)


class Moving(SimulatedConsumer):
    """Of a partition whose leader has just gone."""

    async def end_of_epoch(self, place: KafkaPartition, epoch: int) -> int | None:
        raise LeaderNotAvailableError(place)


def test_a_log_is_not_read_on_while_it_is_unknown_whether_it_was_cut() -> None:
    note = CommitNote(Unfinished(NOTED, ()), None, {}, epoch=2)
    epochs = Epochs(Moving(cut_log([(0, 0), (3, 100)], end=600)))

    with pytest.raises(LeaderNotAvailableError):
        at_once(epochs.noted(PLACE, Committed(400, note)))


def test_a_note_of_a_log_that_was_cut_is_not_believed() -> None:
    note = CommitNote(Unfinished(NOTED, ()), None, {}, epoch=2)
    whole, cut = cut_log([(0, 0), (2, 300)], end=600), cut_log([(0, 0), (3, 100)], end=600)

    found = [
        at_once(Epochs(SimulatedConsumer(log)).noted(PLACE, Committed(400, note)))
        for log in (whole, cut)
    ]
    assert found == [Committed(400, note), Committed(100, None)]
