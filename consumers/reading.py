"""From Kafka to the engine: the records of a topic, and parked records that are due."""

import asyncio
import time
from collections.abc import Callable

import structlog

from consumers.delivery.delivery import Delivery
from consumers.drain import Drain
from consumers.kafka.loader import Loader
from consumers.kafka.reader import Reader
from consumers.kafka.troubles import Lost
from consumers.metrics import Counts
from schemas.records import TopicPartition

READ_RECORDS_MAX = 4000
ACCEPT_SECONDS = 0.1  # For what is read at once: all destinations wait for so long.
LOAD_SECONDS = 0.1  # Between checks for parked records that are due and for which there is room.
# For how long a partition with due records may give none before the next one is asked. Longer each
# time: what a slow Kafka is about to answer is lost by asking for another one.
SILENT_SECONDS, SILENT_SECONDS_MAX = 2.0, 30.0
log = structlog.get_logger()


class Reading:
    def __init__(
        self,
        worker: str,
        topic: str,
        delivery: Delivery,
        drain: Drain,
        counts: Counts,
        clock: Callable[[], float],
        on_records: Callable[[], None],
    ) -> None:
        self._worker = worker
        self._topic = topic
        self._delivery = delivery
        self._drain = drain
        self._counts = counts
        self._clock = clock
        self._on_records = on_records  # Set when there may be something to send.
        self._records_max = READ_RECORDS_MAX  # Fewer while a record takes long, as in a function.

    async def read(self, reader: Reader) -> None:
        """Read what the engine has room for, until the worker stops."""
        while not self._drain.is_stopping:
            full = self._delivery.full() if self._delivery.has_room else None
            read = await reader.read(full=full, records_max=self._records_max)
            for lost in read.lost:
                self._lose(lost)
            started, count = time.perf_counter(), 0
            for records in read.records:
                is_own = records[0].topic == self._topic
                take = self._delivery.accept if is_own else self._delivery.scan
                self._counts.skipped(take(records, self._clock()))
                count += len(records)
            self._took(count, time.perf_counter() - started)
            for place, offset in read.reached.items():
                self._delivery.reached(place, offset)
            for place in read.cut:
                self._restart(reader, place)
            self._on_records()
            if self._records_max < READ_RECORDS_MAX:
                await asyncio.sleep(0)  # Other destinations go on, even if more has come.

    async def load(self, loader: Loader) -> None:
        """Read parked records again when they are due, until cancelled."""
        turns = Turns()
        while True:
            place = self._delivery.wants(self._clock(), turns.first)
            if place is None:
                await asyncio.sleep(LOAD_SECONDS)  # There is no event for free memory.
                continue
            offset = self._delivery.wanted_from(place.partition)
            records, begins = await loader.read(place, offset, self._records_max)
            if begins > offset:
                self._lose(Lost(place, offset, begins, "deleted"))
            started = time.perf_counter()
            self._counts.skipped(self._delivery.load(records, self._clock()))
            self._took(len(records), time.perf_counter() - started)
            turns.asked(place.partition, self._clock(), is_silent=self._wants_still(place, offset))
            self._on_records()

    def _wants_still(self, place: TopicPartition, offset: int) -> bool:
        """Whether nothing came of this offset: there is no leader, or not the record we know."""
        wanted = self._delivery.wants(self._clock(), place.partition)
        return wanted == place and self._delivery.wanted_from(place.partition) == offset

    def _took(self, records: int, seconds: float) -> None:
        self._records_max = next_read(self._records_max, records, seconds)

    def _restart(self, reader: Reader, place: TopicPartition) -> None:
        """Read a log that was cut from its beginning once nothing of it is unsettled."""
        self._counts.lost(place.topic, self._delivery.cut(place))
        if self._delivery.restart(place) and (begin := reader.restarted(place)) is not None:
            # Committed now, it is not read past after a crash.
            self._delivery.reached(place, begin)

    def _lose(self, lost: Lost) -> None:
        """Count and log offsets that cannot be read any more, with or without records of ours."""
        place, records = lost.place, self._delivery.lose(lost.place, lost.first, lost.before)
        self._counts.lost(place.topic, records)
        say = log.error if records else log.warning
        say(
            "offsets cannot be read any more, skipping them",
            worker=self._worker,
            why=lost.why,
            topic=place.topic,
            partition=place.partition,
            first=lost.first,
            last=lost.before - 1,
            lost=records,
        )


class Turns:
    """Which partition's parked records are read: one without a leader keeps no other waiting."""

    def __init__(self) -> None:
        self.first = 0  # The number to begin with.
        self._silent_since = 0.0
        self._patience = SILENT_SECONDS

    def asked(self, partition: int, now: float, *, is_silent: bool) -> None:
        if not is_silent:
            self._patience = SILENT_SECONDS
        if not is_silent or partition != self.first:
            self.first, self._silent_since = partition, now
        elif now - self._silent_since > self._patience:
            self.first, self._silent_since = partition + 1, now
            self._patience = min(2 * self._patience, SILENT_SECONDS_MAX)


def next_read(before: int, records: int, seconds: float) -> int:
    """How many records to read at once, as so many took so long."""
    if not records:
        return before
    fitting = int(records * ACCEPT_SECONDS / max(seconds, 1e-9))
    return max(1, min(fitting, 2 * before, READ_RECORDS_MAX))
