"""A worker's progress: committed to Kafka, shown in metrics, and checked for liveness."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import islice

import structlog

from consumers.delivery.delivery import Delivery
from consumers.kafka.commit_notes import RANGES_MAX, CommitNote, decoded, encoded, encoded_whole
from consumers.kafka.reader import Reader
from consumers.liveness import Facts, Liveness
from consumers.metrics import Counts
from consumers.silence import Silence
from consumers.withheld import Withheld
from schemas.records import Standing, TopicPartition

COMMIT_SECONDS = 1.0
NOTED_HOLDS_MAX = 40
log = structlog.get_logger()


class Progress:
    def __init__(
        self,
        delivery: Delivery,
        reader: Reader,
        counts: Counts,
        clock: Callable[[], float],
        is_failing: Callable[[], bool] = lambda: False,  # Whether letters cannot be written.
    ) -> None:
        self._delivery = delivery
        self._reader = reader
        self._counts = counts
        self._withheld = Withheld(counts.destination)
        self._clock = clock
        self._liveness = Liveness()
        self._silence = Silence(counts.destination, counts.kind)
        self._committing = asyncio.Lock()
        self._is_failing = is_failing

    def is_stuck(self, after_seconds: float) -> bool:
        """Whether a partition is stuck (liveness.py)."""
        return bool(self._liveness.stuck(after_seconds, time.monotonic()))

    @property
    def is_reached(self) -> bool:
        """Whether Kafka answers, and lets us read."""
        return self._reader.trouble is None and self._liveness.is_reached(time.monotonic())

    async def tell_often(self) -> None:
        """Commit and measure, each every second; a slow commit does not delay the metrics."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for tell in (self.commit, self._measure):
                    tasks.create_task(_often(tell))
        finally:
            self._withheld.ended()

    async def commit(self) -> None:
        """Commit; one at a time, so that a retried older commit never follows a newer one."""
        async with self._committing:
            notes = {
                place: (offset, self._fitting(self._note(place, RANGES_MAX), offset))
                for place, offset in self._delivery.committable().items()
            }
            await self._reader.commit(notes)

    async def hand_over(self) -> None:
        """Commit for the next owner; a note too large for a commit goes to the parked topic."""
        async with self._committing:
            tried = 0
            while tried != self._reader.note_bytes_max:  # Less is taken than was known.
                tried = self._reader.note_bytes_max
                notes = {
                    place: (offset, await self._whole(place, offset))
                    for place, offset in self._delivery.committable().items()
                }
                await self._reader.commit(notes)

    async def _whole(self, place: TopicPartition, offset: int) -> str:
        note = self._note(place)
        text = self._fitting(note, offset)
        told = decoded(text, offset)
        if told is not None and told.left == note.left:
            return text
        kept = await self._reader.notes.keep(place.partition, encoded_whole(note, offset))
        if kept is None:
            log.warning(
                "note of a commit is too large, some records may be sent again", place=place
            )
        return self._fitting(replace(note, kept=kept), offset)

    def _fitting(self, note: CommitNote, offset: int) -> str:
        return encoded(note, offset, self._reader.note_bytes_max)

    def _note(self, place: TopicPartition, ranges_max: int | None = None) -> CommitNote:
        after = self._delivery.after(place)
        after, partitions = self._reader.settling_in.division(place, after)
        holds = islice(self._delivery.holds(place), NOTED_HOLDS_MAX)
        left = self._delivery.unfinished(place, ranges_max)
        return CommitNote(
            left,
            self._delivery.paused,
            dict(holds),
            at=self._clock(),
            partitions=partitions,
            after=after,
            epoch=self._reader.epoch(place, left.read_to),
        )

    async def _measure(self) -> None:
        standings = await self._reader.standings()
        # From here on nothing is awaited: a rebalance may have come meanwhile.
        self._withheld.look(self._reader.withheld(), time.monotonic())
        answers, delivery = self._reader.answers(), self._delivery
        standings = {place: one for place, one in standings.items() if place in answers}
        self._counts.measured(delivery, standings, answers.keys(), time.time())
        self._counts.paused(delivery.paused, time.time())  # A pause may end without an answer.
        committable = delivery.committable()
        facts = {
            place: self._facts(place, standings.get(place), committable.get(place), answer)
            for place, answer in answers.items()
        }
        # Unread parked records do not count: they are read before the topic.
        by_number = {place.partition: answer for place, answer in answers.items()}
        for place, offset in committable.items():
            if place not in facts and (answer := by_number.get(place.partition)) is not None:
                facts[place] = self._facts(place, Standing(offset, offset), offset, answer)
        is_waiting = delivery.paused is not None or self._reader.trouble is not None
        now = time.monotonic()
        self._liveness.look(facts, now, is_waiting=is_waiting or self._is_failing())
        self._silence.look(is_reached=self._liveness.is_reached(now))

    def _facts(
        self,
        place: TopicPartition,
        standing: Standing | None,
        committable: int | None,
        answer: object,
    ) -> Facts:
        unsettled, waiting = self._delivery.pending(place, self._clock())
        is_unknown = standing is None or self._reader.settling_in.is_waiting(place)
        return Facts(
            position=None if standing is None or is_unknown else standing.position,
            end=0 if standing is None else standing.end,
            committable=committable,
            unsettled=unsettled,
            waiting=waiting,
            may_be_read=self._delivery.has_room and place not in self._delivery.full(),
            answer=answer,
        )


async def _often(tell: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(COMMIT_SECONDS)
        await tell()
