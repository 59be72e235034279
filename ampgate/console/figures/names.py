"""The metrics that the console reads (contract.md#metrics)."""

from collections.abc import Collection, Mapping

EDGE_RECORDS = "ampgate_edge_records_total"
EDGE_REQUESTS = "ampgate_edge_requests_total"
RECORDS = "ampgate_delivery_records_total"
REQUESTS = "ampgate_delivery_requests_total"
WAITING = "ampgate_delivery_waiting_records"
PAUSED = "ampgate_delivery_paused"
PAUSED_SINCE = "ampgate_delivery_paused_since_timestamp_seconds"
OLDEST = "ampgate_delivery_oldest_waiting_seconds"
LOST = "ampgate_delivery_lost_records_total"
LETTERS_FAILING = "ampgate_delivery_letters_failing"
LAG = "ampgate_delivery_lag_records"  # Many: read only where a page shows them.
PULL_RUNS = "ampgate_pull_runs_total"
PULL_RECORDS = "ampgate_pull_records_total"
PULL_LAST_SUCCESS = "ampgate_pull_last_success_timestamp_seconds"
PULL_PAUSED = "ampgate_pull_paused"
# The labels that are read of each.
LABELS: Mapping[str, Collection[str]] = {
    EDGE_RECORDS: ("source", "kind", "outcome"),
    EDGE_REQUESTS: ("status",),
    RECORDS: ("destination", "kind", "outcome"),
    REQUESTS: ("destination", "endpoint", "status"),
    WAITING: ("destination", "reason"),
    PAUSED: ("destination", "reason"),
    PAUSED_SINCE: ("destination",),
    OLDEST: ("destination",),
    LOST: ("destination", "topic"),
    LETTERS_FAILING: (),
    PULL_RUNS: ("pull", "outcome"),
    PULL_RECORDS: ("pull", "outcome"),
    PULL_LAST_SUCCESS: ("pull",),
    PULL_PAUSED: ("pull", "reason"),
}
