"""Where a partition's log ends, with what is behind an unfinished transaction.

A consumer of aiokafka's that reads committed records can only ask where these end.
"""

from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_UNCOMMITTED, OffsetResetStrategy
from aiokafka.errors import LeaderNotAvailableError, NoError, for_code
from aiokafka.protocol.offset import OffsetRequest

CONSUMER = -1  # In place of a follower's number.


async def log_end(client: Any, cluster: Any, place: TopicPartition) -> int:  # noqa: ANN401  aiokafka has no types.
    """By the leader that the cluster's metadata names; raises `KafkaError`."""
    leader = cluster.leader_for_partition(place)
    if leader in (None, -1):
        raise LeaderNotAvailableError(place)
    asked = [(place.topic, [(place.partition, OffsetResetStrategy.LATEST)])]
    answer = await client.send(leader, OffsetRequest(CONSUMER, READ_UNCOMMITTED, asked))
    [(_, [(_, code, _, end)])] = answer.topics
    if (kind := for_code(code)) is not NoError:
        raise kind(place)
    return int(end)
