"""The request that takes a topic's offsets out of a group (KIP-496), which aiokafka has not."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String


class OffsetDeleteResponse_v0(Response):  # type: ignore[misc]  # noqa: N801  aiokafka's way.
    API_KEY = 47
    API_VERSION = 0
    SCHEMA = Schema(
        ("error_code", Int16),
        ("throttle_time_ms", Int32),
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                ("partitions", Array(("partition", Int32), ("error_code", Int16))),
            ),
        ),
    )


class OffsetDeleteRequest_v0(RequestStruct):  # type: ignore[misc]  # noqa: N801  As above.
    API_KEY = 47
    API_VERSION = 0
    RESPONSE_TYPE = OffsetDeleteResponse_v0
    SCHEMA = Schema(
        ("group_id", String("utf-8")),
        ("topics", Array(("topic", String("utf-8")), ("partitions", Array(Int32)))),
    )


class OffsetDeleteRequest(Request[OffsetDeleteRequest_v0]):  # type: ignore[misc]  # As above.
    API_KEY = 47

    def __init__(self, group_id: str, partitions: Mapping[str, Sequence[int]]) -> None:
        self._group_id = group_id
        self._partitions = list(partitions.items())

    def build(self, request_struct_class: type[OffsetDeleteRequest_v0]) -> Any:  # noqa: ANN401  As above.
        return request_struct_class(self._group_id, self._partitions)
