"""Where the epoch of a leader ends in a log: Kafka's OffsetForLeaderEpoch, which aiokafka lacks.

Each new leader of a partition begins an epoch, and its batches carry it. After an unclean election
the log of the new leader ends an epoch earlier than we have read it (KIP-320).

Only the leader says it. A follower gives out records, too (KIP-392): who reads of a leader that is
one no more hears of that by this question only.
"""

from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import (
    KafkaError,
    LeaderNotAvailableError,
    NoError,
    UnsupportedVersionError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Int64, Schema, String

CONSUMER = -1  # In place of a follower's number.
UNKNOWN = -1  # An epoch that is not compared; and the end of one that the leader does not know.


class OffsetForLeaderEpochResponse_v3(Response):  # type: ignore[misc]  # noqa: N801  aiokafka's way.
    API_KEY = 23
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader_epoch", Int32),
                        ("end_offset", Int64),
                    ),
                ),
            ),
        ),
    )


class OffsetForLeaderEpochRequest_v3(RequestStruct):  # type: ignore[misc]  # noqa: N801  As above.
    API_KEY = 23
    API_VERSION = 3
    RESPONSE_TYPE = OffsetForLeaderEpochResponse_v3
    SCHEMA = Schema(
        ("replica_id", Int32),
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                (
                    "partitions",
                    Array(
                        ("partition", Int32),
                        ("current_leader_epoch", Int32),
                        ("leader_epoch", Int32),
                    ),
                ),
            ),
        ),
    )


class OffsetForLeaderEpoch(Request[OffsetForLeaderEpochRequest_v3]):  # type: ignore[misc]  # As above.
    """Of one partition, with Kafka 2.3 or later."""

    API_KEY = 23

    def __init__(self, topic: str, partition: int, epoch: int) -> None:
        self._asked = [(topic, [(partition, UNKNOWN, epoch)])]

    def build(self, request_struct_class: type[OffsetForLeaderEpochRequest_v3]) -> Any:  # noqa: ANN401  As above.
        return request_struct_class(CONSUMER, self._asked)


async def end_of_epoch(client: Any, place: TopicPartition, epoch: int) -> int | None:  # noqa: ANN401  As above.
    """Where the log has its first record of a later epoch; None if it knows none so late.

    Raises `KafkaError`, also where Kafka is too old to say.
    """
    try:
        return await _end_by_leader(client, place, epoch)
    except KafkaError as error:
        if not error.invalid_metadata:
            raise
    await client.force_metadata_update()
    return await _end_by_leader(client, place, epoch)


async def _end_by_leader(client: Any, place: TopicPartition, epoch: int) -> int | None:  # noqa: ANN401  As above.
    leader = client.cluster.leader_for_partition(place)
    if leader in (None, -1):
        raise LeaderNotAvailableError(place)
    try:
        answer = await client.send(
            leader, OffsetForLeaderEpoch(place.topic, place.partition, epoch)
        )
    except NotImplementedError as error:  # aiokafka's word for another version.
        raise UnsupportedVersionError(str(error)) from error
    [(_, [(code, _, _, end)])] = answer.topics
    if (kind := for_code(code)) is not NoError:
        raise kind(place)
    return int(end) if end >= 0 else None
