"""The edge's own numbers (contract.md#metrics)."""

import os
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

# prometheus-client's directory for values of several workers.
WORKERS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
EXPOSITION_SHARE = 10
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    def __init__(self, inflight_bytes: Callable[[], int]) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "ampgate_edge_requests", "Requests.", ["dialect", "status"], registry=registry
        )
        self._seconds = Histogram(
            "ampgate_edge_request_seconds",
            "From a request's first byte to its answer.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._records = Counter(
            "ampgate_edge_records",
            "Records.",
            ["source", "kind", "outcome"],
            registry=registry,
        )
        self._dropped = Counter(
            "ampgate_edge_dead_letters_dropped",
            "Rejected records that are no dead letters: too many of one request or source.",
            ["source"],
            registry=registry,
        )
        self._inflight_bytes = inflight_bytes
        self._inflight = Gauge(
            "ampgate_edge_inflight_bytes",
            "Bytes of requests between their first byte and their answer.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        # Looking a child up by its labels costs more than counting; the sets are small.
        self._request_children: dict[tuple[str, int], Counter] = {}
        self._record_children: dict[tuple[str, str, str], Counter] = {}
        self._made = b""
        self._made_again_at = 0.0

    def tick(self) -> None:
        """Call it every second: another worker may serve `/metrics`."""
        self._inflight.set(self._inflight_bytes())

    def exposition(self) -> bytes:
        """The figures of this process, or the sum over all workers.

        Building it takes at most a tenth of the time, however often it is requested.
        """
        started = time.monotonic()
        if started >= self._made_again_at:
            self._made = self._exposition()
            took = time.monotonic() - started
            self._made_again_at = started + EXPOSITION_SHARE * took
        return self._made

    def _exposition(self) -> bytes:
        self.tick()
        if WORKERS_DIRECTORY not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # It has no types.
        return generate_latest(together)

    def request(self, dialect: str, status: int, seconds: float) -> None:
        child = self._request_children.get((dialect, status))
        if child is None:
            child = self._requests.labels(dialect, str(status))
            self._request_children[dialect, status] = child
        child.inc()
        self._seconds.observe(seconds)

    def records(self, source: str, kind: str, outcome: str, count: int) -> None:
        child = self._record_children.get((source, kind, outcome))
        if child is None:
            child = self._records.labels(source, kind, outcome)
            self._record_children[source, kind, outcome] = child
        child.inc(count)

    def dead_letters_dropped(self, source: str, count: int) -> None:
        self._dropped.labels(source).inc(count)
