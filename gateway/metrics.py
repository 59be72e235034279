"""The edge's own numbers (product.md §8)."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

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
        Gauge(
            "ampgate_edge_inflight_bytes", "Waiting for Kafka's acks.", registry=registry
        ).set_function(inflight_bytes)
        # Looking a child up by its labels costs more than counting; the sets are small.
        self._request_children: dict[tuple[str, int], Counter] = {}
        self._record_children: dict[tuple[str, str, str], Counter] = {}

    def exposition(self) -> bytes:
        return generate_latest(self.registry)

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
