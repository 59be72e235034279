"""Requests in the versions that also return the client's permissions (KIP-430).

Of Metadata, aiokafka stops at version 5, and 8 is the first that does. Topics are named and never
created by asking, so that a missing one differs from one we may not see. Of DescribeGroups, it
reads the answer of version 3 as one of version 2, and so without what was asked for.
"""

from typing import Any

from aiokafka.protocol.admin import DescribeGroupsRequest_v3, DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String


class MetadataResponse_v8(Response):  # type: ignore[misc]  # noqa: N801  aiokafka's way.
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(
                ("node_id", Int32),
                ("host", String("utf-8")),
                ("port", Int32),
                ("rack", String("utf-8")),
            ),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class MetadataRequest_v8(RequestStruct):  # type: ignore[misc]  # noqa: N801  As above.
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = MetadataResponse_v8
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class AuthorizedMetadataRequest(Request[MetadataRequest_v8]):  # type: ignore[misc]  # As above.
    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[MetadataRequest_v8]) -> Any:  # noqa: ANN401  As above.
        return request_struct_class(self._topics, False, False, True)


class DescribeGroupsRequest_v3_whole(RequestStruct):  # type: ignore[misc]  # noqa: N801  As above.
    API_KEY = 15
    API_VERSION = 3
    RESPONSE_TYPE = DescribeGroupsResponse_v3
    SCHEMA = DescribeGroupsRequest_v3.SCHEMA


class AuthorizedGroupsRequest(Request[DescribeGroupsRequest_v3_whole]):  # type: ignore[misc]  # As above.
    API_KEY = 15

    def __init__(self, group_ids: list[str]) -> None:
        self._group_ids = group_ids

    def build(self, request_struct_class: type[DescribeGroupsRequest_v3_whole]) -> Any:  # noqa: ANN401  As above.
        return request_struct_class(self._group_ids, True)
