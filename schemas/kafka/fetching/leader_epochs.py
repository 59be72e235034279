"""Where the epoch of a leader ends in a log: Kafka's OffsetForLeaderEpoch, which aiokafka lacks.

Each new leader of a partition begins an epoch, and its batches carry it. After an unclean election
the log of the new leader ends an epoch earlier than we have read it (KIP-320).
"""

from typing import Any

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
