"""What a scheduled reconciliation leaves for Prometheus: a file for a textfile collector."""

from collections.abc import Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

registry = CollectorRegistry()
RECORDS = Gauge(
    "ampgate_reconciliation_records",
    "Events of the last reconciliation, by what became of them; missing is a loss.",
    ["destination", "state"],
    registry=registry,
)
FINISHED = Gauge(
    "ampgate_reconciliation_timestamp_seconds",
    "When the last reconciliation ended; seconds since the epoch.",
    ["destination"],
    registry=registry,
)


def write(destination: str, states: Mapping[str, int], at_seconds: float, file: Path) -> None:
    """The file is replaced at once, as its reader may come at any time."""
    for state, count in states.items():
        RECORDS.labels(destination, state).set(count)
    FINISHED.labels(destination).set(at_seconds)
    write_to_textfile(str(file), registry)
