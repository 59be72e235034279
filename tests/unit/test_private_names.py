"""Names of other libraries that are not public: each is where our code expects it.

`pyproject.toml` bounds the versions of these libraries; a newer one has to pass here first.
"""

import inspect
import re
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parents[2]
# The class, or module, of a library; what we use of it beyond its public interface; and where.
USED = [
    (
        "aiokafka.consumer.fetcher:PartitionRecords",
        [
            *("_tp", "_records", "_records_iterator", "_check_crcs", "_isolation_level"),
            *("_aborted_producers", "_consume_aborted_up_to", "_contains_abort_marker"),
            "next_fetch_offset",
        ],
        "schemas/kafka/fetching/fetched",
    ),
    ("aiokafka.consumer.consumer", ["Fetcher"], "schemas/kafka/fetching/fetch"),
    ("aiokafka.consumer.fetcher:FetchError", ["_error"], "schemas/kafka/fetching/fetcher"),
    (
        "aiokafka.consumer.fetcher:FetchResult",
        ["_partition_records", "_update_position", "has_more", "check_assignment", "_created"],
        "schemas/kafka/fetching/fetcher",
    ),
    (
        "aiokafka.consumer.fetcher:Fetcher",
        [
            *("_records", "_subscriptions", "_create_fetch_waiter", "_notify", "_set_error"),
            *("_wait_consume_future", "_proc_fetch_request", "_client", "_retry_backoff"),
            *("_check_crcs", "_isolation_level", "_prefetch_backoff", "_default_reset_strategy"),
            "_get_actions_per_node",
        ],
        "schemas/kafka/fetching/fetcher",
    ),
    ("asyncio:StreamReader", ["_buffer"], "schemas/kafka/fetching/arrival"),
    (
        "aiokafka.conn:AIOKafkaConnection",
        ["_read", "_reader", "_requests", "_handle_frame"],
        "schemas/kafka/fetching/arrival",
    ),
    (
        "aiokafka.client:AIOKafkaClient",
        ["_conns", "_md_synchronizer", "_md_update_fut", "_metadata_update"],
        "schemas/kafka/asking",
    ),
    (
        "aiokafka.conn:AIOKafkaConnection",
        [
            *("send", "_send_sasl_token", "_reader", "_writer", "connected", "close"),
            *("_handle_frame", "_requests", "_request_timeout"),
        ],
        "schemas/kafka/asking",
    ),
    ("aiokafka.conn", ["AIOKafkaConnection", "SaslAuthenticateRequest"], "schemas/kafka/asking"),
    ("aiokafka.protocol.metadata:MetadataRequest", ["_topics"], "schemas/kafka/asking"),
    ("aiokafka.admin.client", ["AIOKafkaClient"], "schemas/kafka/asking"),
    ("aiokafka.consumer.consumer", ["AIOKafkaClient"], "schemas/kafka/asking"),
    ("aiokafka.producer.producer", ["AIOKafkaClient"], "schemas/kafka/asking"),
    ("aiokafka:AIOKafkaConsumer", ["_coordinator", "_fetcher"], "schemas/kafka/fetching/fetch"),
    (
        "aiokafka.consumer.group_coordinator:GroupCoordinator",
        [
            *("_stop_heartbeat_task", "_stop_commit_offsets_refresh_task", "commit_offsets"),
            *("_heartbeat_task", "_commit_refresh_task", "request_rejoin"),
        ],
        "schemas/kafka/fetching/fetch",
    ),
    (
        "aiokafka.producer.message_accumulator:MessageAccumulator",
        [
            *("fail_all", "_closed", "_exception", "_batches", "_pop_batch"),
            *("_batch_ttl", "_waiter_future", "_pending_batches", "_txn_manager"),
        ],
        "schemas/kafka/connection, sender, waiting_batches",
    ),
    ("aiokafka:AIOKafkaProducer", ["_message_accumulator", "_sender"], "schemas/kafka/connection"),
    (
        "aiokafka.producer.sender:Sender",
        [
            *("sender_task", "_acks", "_txn_manager", "_retry_backoff", "_request_timeout_ms"),
            *("_in_flight", "_muted_partitions", "_message_accumulator"),
        ],
        "schemas/kafka/connection, sender",
    ),
    (
        "aiokafka.producer.sender:SendProduceReqHandler",
        ["_client", "do"],
        "schemas/kafka/sender",
    ),
    ("aiokafka.client:AIOKafkaClient", ["_conns", "_maybe_wait_metadata"], "schemas/kafka/sender"),
    (
        "aiokafka.conn:AIOKafkaConnection",
        ["_versions", "_requests", "_next_correlation_id", "_client_id", "_writer"],
        "schemas/kafka/sender",
    ),
    (
        "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol",
        ["pipeline", "cycle", "flow", "_start_asgi_task", "on_response_complete"],
        "gateway/server/connections",
    ),
    (
        "uvicorn.protocols.http.httptools_impl:RequestResponseCycle",
        [
            *("response_complete", "response_started", "keep_alive", "message_event", "body"),
            *("scope", "transport", "flow", "logger", "access_logger", "access_log"),
            *("default_headers", "on_response", "disconnected", "waiting_for_100_continue"),
            *("more_body", "chunked_encoding", "expected_content_length"),
        ],
        "gateway/server/whole_request",
    ),
    ("uvicorn.protocols.http.httptools_impl", ["STATUS_LINE"], "gateway/server/refusal"),
    ("prometheus_client:Histogram", ["_sum", "_buckets", "_upper_bounds"], "schemas/tallies"),
]


@pytest.mark.parametrize(("place", "names", "user"), USED, ids=[one[0] for one in USED])
def test_a_private_name_of_a_library_is_where_it_is_used(
    place: str, names: list[str], user: str
) -> None:
    found = resolve_name(place)
    source = "\n".join(
        inspect.getsource(one) for one in getattr(found, "__mro__", (found,)) if one is not object
    )

    missing = [name for name in names if not (hasattr(found, name) or f"self.{name}" in source)]
    assert not missing, f"{place} has no {missing} any more, which {user} uses"


@pytest.mark.parametrize("library", ["aiokafka", "uvicorn", "prometheus-client"])
def test_the_version_of_a_library_with_private_names_is_bounded(library: str) -> None:
    bounds = re.search(
        rf'"{library}[^"]*>=([\d.]+),<([\d.]+)"', (ROOT / "pyproject.toml").read_text()
    )

    assert bounds, f"{library} has no upper bound in pyproject.toml"
    installed = [int(part) for part in version(library).split(".")]
    lower, upper = ([int(part) for part in one.split(".")] for one in bounds.groups())
    assert lower <= installed < upper
