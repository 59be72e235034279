"""Who reads what there is of a partition does not wait for ever for one without a leader."""

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from schemas.kafka.fetching.patience import SILENT_SECONDS, Patience
from schemas.kafka.fetching.taken import Taken

SOME = Taken(positions={TopicPartition("topic", 0): 7})


def test_reading_fails_once_nothing_has_come_for_long() -> None:
    now = [100.0]
    patience = Patience(lambda: now[0])
    for _ in range(5):  # However long it takes in all.
        now[0] += SILENT_SECONDS - 1
        assert patience.of(Taken()) == Taken()
        assert patience.of(SOME) is SOME
    now[0] += SILENT_SECONDS + 1
    with pytest.raises(KafkaTimeoutError):
        patience.of(Taken())
