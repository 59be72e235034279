"""Records that Kafka keeps back: those behind a transaction that some producer does not end.

Who reads committed records gets none of a partition's from the first open transaction on, whoever
wrote them. That is usual for seconds. A transaction that lasts holds up all that comes after it,
and neither is it lag, nor does anything fail: so it is told.
"""

from collections.abc import Mapping

import structlog
from prometheus_client import Gauge

from schemas.records import Offsets, TopicPartition

LASTS_SECONDS = 60.0  # By then Kafka has ended that of a Java producer that is gone.
RECORDS = Gauge(
    "ampgate_delivery_withheld_records",
    "Records that Kafka has not given out for a minute or more: they are behind an unfinished"
    " transaction.",
    ["destination", "topic", "partition"],
)
log = structlog.get_logger()


class Withheld:
    """Those of one worker's partitions."""

    def __init__(self, destination: str) -> None:
        self._destination = destination
        self._since: dict[TopicPartition, tuple[int, float]] = {}  # Where the transaction begins.
        self._told: frozenset[TopicPartition] = frozenset()

    def look(self, found: Mapping[TopicPartition, Offsets], now: float) -> None:
        """Tell of those that have been behind the same transaction for long."""
        self._since = {
            place: since
            if (since := self._since.get(place)) is not None and since[0] == offsets.first
            else (offsets.first, now)
            for place, offsets in found.items()
        }
        lasting = {
            place: found[place]
            for place, (_, since) in self._since.items()
            if now - since >= LASTS_SECONDS
        }
        for place, offsets in lasting.items():
            self._gauge(place).set(offsets.before - offsets.first)
            if place not in self._told:
                log.warning(
                    "unfinished transaction, records behind it are not given out",
                    destination=self._destination,
                    topic=place.topic,
                    partition=place.partition,
                    first=offsets.first,
                    records=offsets.before - offsets.first,
                )
        over = self._told.difference(lasting)
        for place in over:
            log.info(
                "transaction is finished, reading on",
                destination=self._destination,
                topic=place.topic,
                partition=place.partition,
            )
        self._forget(over)
        self._told = frozenset(lasting)

    def ended(self) -> None:
        """Remove the gauges: they would keep their last values."""
        self._forget(self._told)
        self._told = frozenset()

    def _gauge(self, place: TopicPartition) -> Gauge:
        return RECORDS.labels(self._destination, place.topic, str(place.partition))

    def _forget(self, places: frozenset[TopicPartition]) -> None:
        for place in places:
            RECORDS.remove(self._destination, place.topic, str(place.partition))
