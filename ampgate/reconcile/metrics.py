"""What a scheduled reconciliation leaves for Prometheus: a file for a textfile collector."""

from collections.abc import Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from ampgate.whole_file import whole_file


class Metrics:
    """Of one reconciliation: a process that makes several has one for each."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.records = Gauge(
            "ampgate_reconciliation_records",
            "Events of the last reconciliation, by what became of them; missing is a loss.",
            ["destination", "state"],
            registry=registry,
        )
        self.finished = Gauge(
            "ampgate_reconciliation_timestamp_seconds",
            "When the last reconciliation ended; seconds since the epoch.",
            ["destination"],
            registry=registry,
        )


def write(destination: str, states: Mapping[str, int], at_seconds: float, file: Path) -> None:
    """The file is replaced at once, as its reader may come at any time."""
    metrics = Metrics()
    for state, count in states.items():
        metrics.records.labels(destination, state).set(count)
    metrics.finished.labels(destination).set(at_seconds)
    with whole_file(file) as opened:
        opened.write(generate_latest(metrics.registry))
