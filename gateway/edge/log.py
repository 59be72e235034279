"""The edge's writes to Kafka, and its readiness."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from schemas.configuration.config import Kafka
from schemas.kafka.batches import NotStored, TooLargeForKafka
from schemas.kafka.log import Log
from schemas.records import NewRecord, RawRecord
from schemas.topics import Kind
from schemas.truncation import cut

PROBE_SECONDS = 2.0
PROBE_FRESH_SECONDS = 1.0
CUTS_MAX = 20  # Each halves the letter, if the topic's limit is not known.


class EdgeLog:
    def __init__(
        self,
        kafka: Kafka,
        ack_timeout_seconds: float,
        on_outage: str = "requests are answered 503",
        *,
        strict: bool = False,
    ) -> None:
        """If `strict`, no record is stored that was behind one that failed in its partition."""
        topics = kafka.topics
        self._probe_topic, self._dead_letters = topics.probe, topics.dead_letters
        names = [*map(topics.of, Kind), topics.dead_letters, topics.probe]
        self._log = Log(
            kafka,
            names,
            ack_timeout_seconds=ack_timeout_seconds,
            on_outage=on_outage,
            strict=names if strict else (),
        )
        self.patient = self._log.patient
        self.begin = self._log.begin  # Not a method of its own: this is the hot path.
        self._probing: asyncio.Task[bool] | None = None
        self._probed = (float("-inf"), False)

    async def start(self) -> None:
        await self._log.start()

    async def stop(self) -> None:
        await self._log.stop()
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait([self._probing])

    def append(
        self, topic: str, records: Sequence[NewRecord], at_ms: int | None = None
    ) -> Coroutine[Any, Any, None]:
        """Store the records; returns when Kafka has them all, else raises `NotStored`."""
        if topic == self._dead_letters:
            return self._append_letters(records, at_ms)
        # Not a coroutine of its own: this is the hot path.
        return self._log.append(topic, records, at_ms)

    async def _append_letters(self, records: Sequence[NewRecord], at_ms: int | None) -> None:
        """Store a dead letter; one that is too large for its topic is cut."""
        topic, whole = self._dead_letters, records
        for _ in range(CUTS_MAX):
            try:
                return await self._log.append(topic, records, at_ms)
            except TooLargeForKafka as refused:
                room = self._log.sizes.room(topic, refused.size)
                records = [self._cut(record, room) for record in whole]
        raise NotStored(f"{topic} takes nothing, however short")

    def _cut(self, record: NewRecord, room: int) -> NewRecord:
        if self._log.fits(self._dead_letters, record):
            return record
        shorter = cut(RawRecord(record.key, record.value, record.headers), room)
        return NewRecord(shorter.key, shorter.value or b"", shorter.headers)

    def fits(self, topic: str, record: NewRecord) -> bool:
        return self._log.fits(topic, record)

    @property
    def is_spooling(self) -> bool:
        return False

    async def probe(self) -> bool:
        """Whether Kafka takes writes to all topics now; checked at most once a second.

        One real write is tried. Other partitions count as writable if they have a leader and the
        requests of the last seconds did not fail.
        """
        at, answer = self._probed
        if time.monotonic() - at < PROBE_FRESH_SECONDS:
            return answer
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._probe())
        return await asyncio.shield(self._probing)

    async def _probe(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._log.append(self._probe_topic, [NewRecord(None, b"{}")])
                place = await self._log.leaderless()
            answer = place is None and not self._log.outage.is_on
        except Exception:  # noqa: BLE001  Whatever it was: this Kafka does not take writes.
            answer = False
        self._probed = (time.monotonic(), answer)
        return answer
