"""The edge's own numbers (contract.md#metrics)."""

import asyncio
import os
import time
from collections.abc import Callable, Sized
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from gateway.spool.spool import Level
from schemas.plans.checking import VIOLATIONS
from schemas.tallies import Tallies

# prometheus-client's directory for values of several workers.
WORKERS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
EXPOSITION_SHARE = 10
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Followed(Protocol):
    """The suppressions, and when they were last read."""

    @property
    def suppressions(self) -> Sized: ...
    @property
    def read_at(self) -> float: ...


class SuppressionMetrics:
    """What this edge knows of who is suppressed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._followed: Followed | None = None
        self._keys = Gauge(
            "ampgate_edge_suppressed_keys",
            "Users and domains that the topic of suppressions has, as far as this edge knows.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._read_at = Gauge(
            "ampgate_edge_suppressions_read_timestamp_seconds",
            "When Kafka last answered the worker that reads them; seconds since the epoch.",
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.odd = Counter(
            "ampgate_edge_suppressions_odd",
            "Records of that topic that name nobody, or whose value is no JSON object.",
            registry=registry,
        )

    def follow(self, followed: Followed) -> None:
        self._followed = followed

    def tick(self) -> None:
        if self._followed is not None:
            self._keys.set(len(self._followed.suppressions))
            self._read_at.set(self._followed.read_at)


class Kept(Protocol):
    """A spool."""

    @property
    def level(self) -> Level: ...
    @property
    def bytes_max(self) -> int: ...


class SpoolMetrics:
    """What waits on this edge's disk; its workers share it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._spool: Kept | None = None

        def gauge(name: str, words: str) -> Gauge:
            whole = f"ampgate_edge_spool_{name}"
            return Gauge(whole, words, registry=registry, multiprocess_mode="livemax")

        self._records = gauge("records", "Records on the edge's disk that wait for Kafka.")
        self._bytes = gauge("bytes", "What records that wait for Kafka take of the edge's disk.")
        self._most = gauge("max_bytes", "What they may take: `spool_max_bytes`; 0 without a spool.")
        self._oldest = gauge(
            "oldest_seconds", "How long ago the oldest record on the edge's disk was accepted."
        )
        self._kept = Counter(
            "ampgate_edge_spooled_records",
            "Records that were kept on the disk as Kafka took no writes.",
            registry=registry,
        )

    def kept(self, records: int) -> None:
        self._kept.inc(records)

    def follow(self, spool: Kept) -> None:
        self._spool = spool
        self._most.set(spool.bytes_max)

    def tick(self) -> None:
        if self._spool is not None:
            level = self._spool.level
            self._records.set(level.records)
            self._bytes.set(level.size)
            oldest_ms = level.oldest_ms
            self._oldest.set(max(0.0, time.time() - oldest_ms / 1000) if oldest_ms else 0)


class Metrics:
    def __init__(self, inflight_bytes: Callable[[], int]) -> None:
        self.registry = registry = CollectorRegistry()
        self._tallies = tallies = Tallies(registry)
        self._requests = tallies.counter(
            "ampgate_edge_requests", "Requests.", ["dialect", "status"]
        )
        self._seconds = tallies.histogram(
            "ampgate_edge_request_seconds",
            "From a request's first byte to its answer.",
            (),
            buckets=_SECONDS,
        ).labels()
        self._records = tallies.counter(
            "ampgate_edge_records", "Records.", ["source", "kind", "outcome"]
        )
        self._dropped = tallies.counter(
            "ampgate_edge_dead_letters_dropped",
            "Rejected records that are no dead letters: too many of one request or source.",
            ["source"],
        )
        self._violations = tallies.counter(*VIOLATIONS)
        self._inflight_bytes = inflight_bytes
        self._inflight = Gauge(
            "ampgate_edge_inflight_bytes",
            "Bytes of requests between their first byte and their answer.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.suppressions = SuppressionMetrics(registry)
        self.spool = SpoolMetrics(registry)
        self._is_shared = WORKERS_DIRECTORY in os.environ
        self._is_telling = False
        self._made = b""
        self._made_again_at = 0.0

    def tick(self) -> None:
        """Call it every second: another worker may serve `/metrics`."""
        self._inflight.set(self._inflight_bytes())
        self.suppressions.tick()
        self.spool.tick()

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
        if not self._is_shared:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # It has no types.
        return generate_latest(together)

    def request(self, dialect: str, status: str, seconds: float) -> None:
        self._requests.labels(dialect, status).inc()
        self._seconds.observe(seconds)
        if self._is_shared and not self._is_telling:
            self._is_telling = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        """Another worker may be asked next, and this one may be killed."""
        self._is_telling = False
        self._tallies.tell()

    def records(self, source: str, kind: str, outcome: str, count: int) -> None:
        self._records.labels(source, kind, outcome).inc(count)

    def violates_plan(self, source: str, reason: str, *, is_known: bool) -> None:
        self._violations.labels(source, str(is_known).lower(), reason).inc()

    def dead_letters_dropped(self, source: str, count: int) -> None:
        self._dropped.labels(source).inc(count)
