"""The metrics of delivery (contract.md#metrics), per batch; labels from closed sets."""

from collections import Counter as Counting
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import cached_property

from prometheus_client import REGISTRY, Counter, Gauge, Histogram

from consumers.delivery.batch import Batch
from consumers.delivery.delivery import Delivery
from consumers.delivery.outcomes import Skip
from consumers.levels import Levels
from schemas.plans import checking as violations
from schemas.records import Standing, TopicPartition
from schemas.tallies import Spread, Tallies, Tally
from schemas.topics import Kind

_tallies = Tallies(REGISTRY)
RECORDS = _tallies.counter(
    "ampgate_delivery_records",
    "Records settled: delivered, dead, skipped or parked.",
    ["destination", "kind", "outcome"],
)
SKIPPED = _tallies.counter(
    "ampgate_delivery_skipped",
    "Records a destination has no use for, and operations left out of those it gets.",
    ["destination", "reason"],
)
REQUESTS = _tallies.counter(
    "ampgate_delivery_requests",
    "Requests by the status of their answer, or why there was none.",
    ["destination", "endpoint", "status"],
)
AMBIGUOUS_REPEATS = _tallies.counter(
    "ampgate_delivery_ambiguous_repeats",
    "Records sent again, with the same id, though the request whose reply was lost or broken may"
    " have been carried out.",
    ["destination", "reason"],
)
REQUEST_SECONDS = _tallies.histogram(
    "ampgate_delivery_request_seconds",
    "From sending a request to its answer.",
    ["destination", "endpoint"],
    buckets=Histogram.DEFAULT_BUCKETS,
)
BATCH_RECORDS = _tallies.histogram(
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
    ["destination"],
)
END_TO_END_SECONDS = _tallies.histogram(
    "ampgate_delivery_end_to_end_seconds",
    "From acceptance to delivery, the oldest record of each request.",
    ["destination"],
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 43200, 86400),
)
WAITING = Gauge(
    "ampgate_delivery_waiting_records",
    "Records that wait, by reason; the sum over the reasons is what waits.",
    ["destination", "reason"],
)
PAUSED = Gauge(
    "ampgate_delivery_paused", "1 while the destination takes nothing.", ["destination", "reason"]
)
PAUSED_SINCE = Gauge(
    "ampgate_delivery_paused_since_timestamp_seconds",
    "When it was paused for the present reason, in seconds since the epoch; 0 if it is not.",
    ["destination"],
)
CONCURRENCY_LIMIT = Gauge(
    "ampgate_delivery_concurrency_limit", "Requests that may be in flight at once.", ["destination"]
)
RESTARTS = _tallies.counter(
    "ampgate_delivery_restarts",
    "Workers started again after a failure of ours; 0 in health.",
    ["destination"],
)
DEAD_LETTERS = _tallies.counter(
    "ampgate_dead_letters", "Records dead, with the reason.", ["destination", "reason"]
)
VIOLATIONS = _tallies.counter(*violations.VIOLATIONS)
TRANSFORM_SECONDS = _tallies.histogram(
    "ampgate_delivery_transform_seconds",
    "What a destination's transform takes, an event.",
    ["destination"],
    buckets=(1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 1e-2, 5e-2, 1e-1, 1.0),
)
LETTERS_FAILING = Gauge(
    "ampgate_delivery_letters_failing",
    "1 while dead letters or parked records cannot be written; what they are of waits.",
)
SUPPRESSED_KEYS = Gauge(
    "ampgate_delivery_suppressed_keys",
    "Users and domains that the topic of suppressions has, as far as this process knows.",
)
SUPPRESSIONS_READ = Gauge(
    "ampgate_delivery_suppressions_read_timestamp_seconds",
    "When Kafka last answered the task that reads them; seconds since the epoch.",
)
SUPPRESSIONS_ODD = Counter(
    "ampgate_delivery_suppressions_odd",
    "Records of that topic that name nobody, or whose value is no JSON object.",
)
LOST = _tallies.counter(
    "ampgate_delivery_lost_records",
    "Records that Kafka deleted before they were delivered, or that could not be read.",
    ["destination", "topic"],
)


class Counts:
    """What one worker counts, under its own labels."""

    def __init__(self, destination: str, kind: Kind) -> None:
        self.destination = destination
        self.kind = kind
        self._places: set[TopicPartition] = set()  # Partitions whose lag is shown.
        self._requests: dict[tuple[str, str | int], tuple[Tally, Spread]] = {}  # By path, status.

    def skipped(self, skips: Collection[Skip]) -> None:
        if skips:
            RECORDS.labels(self.destination, self.kind, "skipped").inc(len(skips))
            for reason, count in Counting(skip.reason for skip in skips).items():
                SKIPPED.labels(self.destination, reason).inc(count)

    def dead(self, reason: str) -> None:
        DEAD_LETTERS.labels(self.destination, reason).inc()
        RECORDS.labels(self.destination, self.kind, "dead").inc()

    def lost(self, topic: str, records: int) -> None:
        LOST.labels(self.destination, topic).inc(records)

    def parked(self, records: int) -> None:
        RECORDS.labels(self.destination, self.kind, "parked").inc(records)

    def answered(self, path: str, status: int | str, seconds: float, records: int) -> None:
        """`status` is that of the answer, or why there was none."""
        told = self._requests.get((path, status))
        if told is None:
            told = self._requests[path, status] = (
                REQUESTS.labels(self.destination, path, str(status)),
                REQUEST_SECONDS.labels(self.destination, path),
            )
        told[0].inc()
        told[1].observe(seconds)
        self._batch_records.observe(records)

    def ambiguous(self, reason: str, records: int) -> None:
        AMBIGUOUS_REPEATS.labels(self.destination, reason).inc(records)

    def delivered(self, batch: Batch, now: float) -> None:
        """Count a request all of which was delivered; other outcomes are counted elsewhere."""
        self._delivered_records.inc(batch.records)
        if len(batch.encoded) == 1:  # Lists of one would be felt.
            [(_, (entry,))] = batch.parts
            left_out, oldest = entry.encoded.left_out, entry.record.timestamp
        else:
            left_out, oldest = batch.left_out, batch.oldest_ms
        if left_out:
            SKIPPED.labels(self.destination, "unsupported_operation").inc(left_out)
        self._end_to_end_seconds.observe(max(0.0, now - oldest / 1000))

    # With one event a request, to look these up each time would be felt.

    @cached_property
    def _delivered_records(self) -> Tally:
        return RECORDS.labels(self.destination, self.kind, "delivered")

    @cached_property
    def _batch_records(self) -> Spread:
        return BATCH_RECORDS.labels(self.destination)

    @cached_property
    def _end_to_end_seconds(self) -> Spread:
        return END_TO_END_SECONDS.labels(self.destination)

    def paused(self, reason: str | None, now: float) -> None:
        """Why this worker is paused now; a destination is paused while any of its workers is."""
        level = _LEVELS.of(self.destination, self.kind)
        if level.paused == reason:
            return
        level.paused, level.paused_since = reason, 0.0 if reason is None else now
        since = [one.paused_since for one in _LEVELS.all_of(self.destination) if one.paused]
        PAUSED_SINCE.labels(self.destination).set(min(since, default=0.0))
        for each in _LEVELS.reasons(self.destination):
            PAUSED.labels(self.destination, each).set(each in _LEVELS.paused(self.destination))

    def given_away(self, places: Collection[TopicPartition]) -> None:
        """Another worker has these partitions now, and shows their lag."""
        self._places.difference_update(places)
        for place in places:
            with suppress(KeyError):
                LAG.remove(self.destination, place.topic, str(place.partition))

    def measured(
        self,
        delivery: Delivery,
        standings: Mapping[TopicPartition, Standing],  # Of each that is ours, as far as known.
        ours: Collection[TopicPartition],
        now: float,
    ) -> None:
        self.given_away(self._places.difference(ours))  # Measured in the middle of a rebalance.
        name, committable = self.destination, delivery.committable()
        level = _LEVELS.of(name, self.kind)
        for place, standing in standings.items():
            lag = standing.end - committable.get(place, standing.position)
            LAG.labels(name, place.topic, str(place.partition)).set(lag)
        self._places.update(standings)
        found = delivery.snapshot()
        level.waiting = {
            "unread": sum(standing.end - standing.position for standing in standings.values()),
            "in_flight": found.unsettled - found.held - found.parked,
            "held": found.held,
            "parked": found.parked,
        }
        level.oldest_seconds = 0.0 if found.oldest is None else max(0.0, now - found.oldest)
        level.concurrency = found.concurrency_limit
        self._tell_levels()

    def ended(self) -> None:
        """Remove the gauges of a worker that has ended: they would keep their last values."""
        self.given_away(list(self._places))
        self.paused(None, 0.0)
        level = _LEVELS.of(self.destination, self.kind)
        level.waiting = dict.fromkeys(level.waiting, 0)
        level.oldest_seconds, level.concurrency = 0.0, 0
        self._tell_levels()

    def _tell_levels(self) -> None:
        name, levels = self.destination, _LEVELS.all_of(self.destination)
        for reason in _LEVELS.of(name, self.kind).waiting:
            WAITING.labels(name, reason).set(sum(one.waiting.get(reason, 0) for one in levels))
        OLDEST_WAITING_SECONDS.labels(name).set(max(one.oldest_seconds for one in levels))
        CONCURRENCY_LIMIT.labels(name).set(sum(one.concurrency for one in levels))


_LEVELS = Levels()
