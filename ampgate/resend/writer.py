"""Appends records to Kafka at a given rate, in order for each key.

No record ends a run: of one that is too large to be parked a reference is parked, as the delivery
does; what its topic takes in no form is told, counted, and left out.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiokafka.errors import BrokerResponseError

from ampgate.errors import CommandError
from ampgate.resend.parking import Outgoing, as_parked_reference, has_origin
from schemas.configuration.config import Kafka
from schemas.kafka.batches import NotStored, TooLargeForKafka
from schemas.kafka.log import Log
from schemas.letters import writable
from schemas.records import RawRecord

FLIGHT_MAX = 500  # Records on their way to Kafka before we wait for its acknowledgements.
FLIGHT_SECONDS = 0.25  # With a rate, as many as are due in so long.
RETRY_SECONDS = 0.5
PATIENCE_SECONDS = 60.0  # Without a record stored; then Kafka is to be mended first.
REFUSED_MAX = 20  # In a row, whatever their size: then it is not about the records.

Place = tuple[str, int]
OnRefused = Callable[[Outgoing, str], None]


class Writer:
    def __init__(
        self,
        log: Log,
        parked_topic: str,
        rate: float | None,
        on_written: Callable[[int], None],
        on_refused: OnRefused,
    ) -> None:
        self._log = log
        self._parked_topic = parked_topic
        self._rate = rate
        self.flight_max = FLIGHT_MAX  # After so many, Kafka has them all.
        if rate is not None:
            self.flight_max = max(1, min(FLIGHT_MAX, int(rate * FLIGHT_SECONDS)))
        self._on_written = on_written
        self._on_refused = on_refused
        self._began = time.monotonic()
        self._taken = 0
        self._turn = asyncio.Lock()  # Chunks of several partitions come at once.
        self._refused_in_a_row = 0
        self.written = self.refused = 0

    async def write(self, records: Sequence[Outgoing]) -> None:
        """Returns once Kafka has them, or has refused them; `CommandError` if it takes none."""
        async with self._turn:
            for first in range(0, len(records), self.flight_max):
                flight = records[first : first + self.flight_max]
                await self._until_due(len(flight))
                shares: dict[Place, list[Outgoing]] = {}
                for record in flight:
                    shares.setdefault(await self._place_of(record), []).append(record)
                await asyncio.gather(*(self._store(*one) for one in shares.items()))

    async def _until_due(self, records: int) -> None:
        if self._rate is not None:
            due = self._began + self._taken / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        self._taken += records

    async def _place_of(self, record: Outgoing) -> Place:
        """Its own partition, or that of its key where there is none, or not any more."""
        try:
            count = await self._log.partitions(record.topic)
            if record.partition is not None and record.partition < count:
                return record.topic, record.partition
            return record.topic, await self._log.partition_of(record.topic, record.key)
        except NotStored as error:
            raise CommandError(str(error)) from error

    async def _store(self, place: Place, records: Sequence[Outgoing]) -> None:
        """All of one partition, in order; halves of them, where one of them is refused."""
        left, size, stored_at = list(records), len(records), time.monotonic()
        while left:
            forms = [_form(record) for record in left[:size]]
            stored, error = await self._log.store_in_order(place[0], forms, place[1])
            if stored:
                size, stored_at, self._refused_in_a_row = 2 * size, time.monotonic(), 0
                self.written += stored
                self._on_written(stored)
                left = left[stored:]
            if error is None:
                continue
            if _is_about_the_record(error, alone=size == 1 or len(left) == 1):
                left[:1] = self._other_form(left[0], place, error)
            elif _is_refusal(error):
                size = max(1, min(size, len(left)) // 2)
            elif time.monotonic() > stored_at + PATIENCE_SECONDS:
                raise CommandError(f"{place[0]} takes no records: {error}") from error
            else:
                await asyncio.sleep(RETRY_SECONDS)

    def _other_form(self, record: Outgoing, place: Place, error: BaseException) -> list[Outgoing]:
        """What is written in its place: a reference, if it is to be parked; else nothing."""
        is_too_large = isinstance(error, TooLargeForKafka)
        may_be_parked = record.topic == self._parked_topic and record.value is not None
        if is_too_large and may_be_parked and has_origin(record, place[1]):
            return [as_parked_reference(record)]
        self.refused += 1
        self._refused_in_a_row += not is_too_large
        self._on_refused(record, str(error) or type(error).__name__)
        if self._refused_in_a_row >= REFUSED_MAX:
            raise CommandError(f"{record.topic} takes no records: {error}") from error
        return []


def _form(record: Outgoing) -> RawRecord:
    return RawRecord(record.key, record.value, writable(record.headers))


def _is_refusal(error: BaseException) -> bool:
    """Whether Kafka said no, and will again."""
    cause = error.__cause__
    return isinstance(cause, BrokerResponseError) and not cause.retriable


def _is_about_the_record(error: BaseException, *, alone: bool) -> bool:
    is_certain = isinstance(error, TooLargeForKafka) or not isinstance(error, NotStored)
    return is_certain or (alone and _is_refusal(error))


@asynccontextmanager
async def writer(
    kafka: Kafka, *, rate: float | None, on_written: Callable[[int], None], on_refused: OnRefused
) -> AsyncIterator[Writer]:
    """For all topics that records come back into."""
    topics = kafka.topics
    log = Log(
        kafka,
        [one for one in topics.lasting if one != topics.dead_letters],
        ack_timeout_seconds=None,
        on_outage="the records wait",
        strict=topics.lasting,
    )
    await log.start()
    try:
        yield Writer(log, topics.parked, rate, on_written, on_refused)
    finally:
        await log.stop()
