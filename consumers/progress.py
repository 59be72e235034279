"""How far a worker is: told to Kafka, to Prometheus, and to whoever asks whether it is stuck."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import structlog

from consumers.commit_notes import CommitNote, decoded, encoded, encoded_whole
from consumers.delivery.delivery import Delivery
from consumers.kafka import Reader
from consumers.metrics import Counts
from schemas.records import TopicPartition

COMMIT_SECONDS = 1.0
NOTED_HOLDS_MAX = 40
log = structlog.get_logger()


class Progress:
    def __init__(
        self, delivery: Delivery, reader: Reader, counts: Counts, clock: Callable[[], float]
    ) -> None:
        self._delivery = delivery
        self._reader = reader
        self._counts = counts
        self._clock = clock
        self._progressed_at = time.monotonic()
        self._last: object = None
        self._committing = asyncio.Lock()

    def is_stuck(self, after_seconds: float) -> bool:
        """Whether there is something to do, nothing that it waits for, and yet no progress."""
        return time.monotonic() - self._progressed_at > after_seconds

    async def tell_often(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            await self.commit()
            await self._measure()

    async def commit(self) -> None:
        """One at a time: an older commit that is tried again must not come after a newer one."""
        async with self._committing:
            notes = {
                place: (offset, encoded(self._note(place), offset))
                for place, offset in self._delivery.committable().items()
            }
            await self._reader.commit(notes)

    async def hand_over(self) -> None:
        """Commit for the next owner: what has no room beside an offset is kept elsewhere."""
        async with self._committing:
            notes = {
                place: (offset, await self._whole(place, offset))
                for place, offset in self._delivery.committable().items()
            }
            await self._reader.commit(notes)

    async def _whole(self, place: TopicPartition, offset: int) -> str:
        note = self._note(place)
        text = encoded(note, offset)
        told = decoded(text, offset)
        if told is not None and told.left == note.left:
            return text
        kept = await self._reader.notes.keep(place.partition, encoded_whole(note, offset))
        if kept is None:
            log.warning(
                "some records will be sent again: a commit has no room for all", place=place
            )
        return encoded(replace(note, kept=kept), offset)

    def _note(self, place: TopicPartition) -> CommitNote:
        holds = islice(self._delivery.holds(place), NOTED_HOLDS_MAX)
        return CommitNote(
            self._delivery.unfinished(place),
            self._delivery.paused,
            dict(holds),
            at=self._clock(),
        )

    async def _measure(self) -> None:
        delivery, committable = self._delivery, self._delivery.committable()
        standings = await self._reader.standings()
        self._counts.measured(delivery, standings, committable, time.time())
        now = (committable, delivery.deliveries)
        waits = delivery.held() + delivery.parked_records()
        is_busy = self._reader.is_settling_in or delivery.unsettled() > waits
        if now != self._last or delivery.paused or not is_busy:
            self._last, self._progressed_at = now, time.monotonic()
