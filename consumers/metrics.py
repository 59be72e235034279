"""The metrics of delivery (product.md §8). Per batch, never per record; labels from closed sets."""

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter(
    "ampgate_delivery_records",
    "Records settled: delivered, dead, skipped or parked.",
    ["destination", "kind", "outcome"],
)
SKIPPED = Counter(
    "ampgate_delivery_skipped", "Records a destination has no use for.", ["destination", "reason"]
)
REQUESTS = Counter(
    "ampgate_delivery_requests",
    "Requests by the status of their answer, or why there was none.",
    ["destination", "endpoint", "status"],
)
REQUEST_SECONDS = Histogram(
    "ampgate_delivery_request_seconds",
    "From sending a request to its answer.",
    ["destination", "endpoint"],
)
BATCH_RECORDS = Histogram(
    "ampgate_delivery_batch_records",
    "Records in a request.",
    ["destination"],
    buckets=(1, 5, 20, 50, 100, 200, 500, 1000, 2000),
)
LAG = Gauge(
    "ampgate_delivery_lag_records",
    "Records not yet settled, from the committed position to the partition's end.",
    ["destination", "topic", "partition"],
)
OLDEST_WAITING_SECONDS = Gauge(
    "ampgate_delivery_oldest_waiting_seconds",
    "Age of the oldest record read and not settled.",
    ["destination", "kind"],
)
END_TO_END_SECONDS = Histogram(
    "ampgate_delivery_end_to_end_seconds",
    "From acceptance to delivery, the oldest record of each request.",
    ["destination"],
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 43200, 86400),
)
WAITING = Gauge(
    "ampgate_delivery_waiting_records",
    "Records that wait, by reason; the sum over the kinds and reasons is what waits.",
    ["destination", "kind", "reason"],
)
PAUSED = Gauge(
    "ampgate_delivery_paused", "1 while the destination takes nothing.", ["destination", "reason"]
)
CONCURRENCY_LIMIT = Gauge(
    "ampgate_delivery_concurrency_limit", "Requests that may fly at once.", ["destination", "kind"]
)
DEAD_LETTERS = Counter(
    "ampgate_dead_letters", "Records dead, with the reason.", ["destination", "reason"]
)
