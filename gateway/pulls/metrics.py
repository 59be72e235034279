"""The pulls' own numbers (contract.md#metrics)."""

from prometheus_client import Counter, Gauge

RUNS = Counter(
    "ampgate_pull_runs", "Runs that ended: success, failed or started_over.", ["pull", "outcome"]
)
RECORDS = Counter(
    "ampgate_pull_records",
    "Objects that were read: produced, unchanged, skipped or dead.",
    ["pull", "kind", "outcome"],
)
REQUESTS = Counter(
    "ampgate_pull_requests", "Requests to the polled system; none: no answer.", ["pull", "status"]
)
LAST_SUCCESS = Gauge(
    "ampgate_pull_last_success_timestamp_seconds",
    "When the last whole run ended, whoever ran it; seconds since the epoch.",
    ["pull"],
)
PAUSED = Gauge(
    "ampgate_pull_paused",
    "1 while the polled system refuses us, and is asked now and then.",
    ["pull", "reason"],
)
EVERY = Gauge("ampgate_pull_every_seconds", "How often it is to run.", ["pull"])


def forget() -> None:
    """What is true of single pulls now: other pulls are configured from now on."""
    for gauge in (LAST_SUCCESS, PAUSED, EVERY):
        gauge.clear()
