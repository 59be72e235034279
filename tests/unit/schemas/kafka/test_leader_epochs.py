"""Where an epoch ends is asked of the leader that there is, not of the one that was."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NotLeaderForPartitionError

from schemas.kafka.fetching.leader_epochs import (
    OffsetForLeaderEpoch,
    OffsetForLeaderEpochResponse_v3,
    end_of_epoch,
)
from tests.unit.schemas.kafka.made_up_client import NODES, NOT_LEADER, Client
from tests.unit.schemas.kafka.stored_logs import Log

PLACE = TopicPartition("events", 0)
EPOCH, END = 4, 7


class Electing(Client):
    """Its brokers elect leaders without a word to clients."""

    def __init__(self) -> None:
        super().__init__({PLACE: Log()})
        self.leader: int = self.leaders[PLACE]

    async def send(self, node: int, request: OffsetForLeaderEpoch, **_: object) -> Any:  # noqa: ANN401  aiokafka's.
        code = 0 if node == self.leader else NOT_LEADER
        told = (code, PLACE.partition, EPOCH, END)
        return OffsetForLeaderEpochResponse_v3(0, [(PLACE.topic, [told])])

    def elect_another(self) -> None:
        [self.leader] = [node for node in NODES if node != self.leader]


async def test_after_an_election_the_new_leader_says_where_an_epoch_ends() -> None:
    """The former one goes on to give out records, as a follower may."""
    client = Electing()
    await client.bootstrap()
    client.elect_another()
    client.leaders[PLACE] = client.leader

    assert await end_of_epoch(client, PLACE, EPOCH) == END


async def test_while_no_broker_tells_of_the_new_leader_nobody_says_it() -> None:
    client = Electing()
    await client.bootstrap()
    client.elect_another()

    with pytest.raises(NotLeaderForPartitionError):
        await end_of_epoch(client, PLACE, EPOCH)
