"""Errors of partitions: records that are gone, a log that was cut, or a failure that passes."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import structlog
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import IllegalStateError, KafkaError, OffsetOutOfRangeError

from consumers.kafka.epochs import Epochs, log_cut
from schemas.kafka.fetching.fetch import Consumer
from schemas.kafka.fetching.fetched import UnreadableError
from schemas.kafka.fetching.taken import NewLeaderError, Taken
from schemas.records import TopicPartition

AGAIN_SECONDS = 1.0  # Delay before a partition with an error is read again.
UNREADABLE_TRIES = 5  # Of one batch: it may have been damaged on its way.
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Lost:
    """Offsets of a partition, from `first` to before `before`, that cannot be read any more."""

    place: TopicPartition
    first: int
    before: int
    why: Literal["deleted", "unreadable"]


class Troubles:
    """The errors of one consumer's partitions; each concerns its partition alone."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._errors: dict[KafkaPartition, KafkaError] = {}  # Errors not handled yet.
        self._again_at: dict[KafkaPartition, float] = {}  # Monotonic time to read it again.
        self._tries: dict[KafkaPartition, tuple[int, int]] = {}  # Offset, fetches.
        # The error that was logged, and when it was last seen (monotonic).
        self._passing: dict[KafkaPartition, tuple[float, str]] = {}
        self._settling: str | None = None  # Why what former owners left cannot be read.
        # Of logs that were cut: from where on they are not what we have read.
        self.cut: dict[KafkaPartition, int] = {}
        self.epochs = Epochs(consumer)

    @property
    def waiting(self) -> Collection[KafkaPartition]:
        """Partitions that must not be read now."""
        now = time.monotonic()
        return {*self.cut, *(place for place, at in self._again_at.items() if at > now)}

    @property
    def passing(self) -> str | None:
        """The error of a partition that cannot be read now, if there is one; it may pass."""
        return self._settling or next((why for _, why in self._passing.values()), None)

    def settled_in(self) -> None:
        """What former owners left of our partitions was read."""
        self._settling = None

    def not_settled_in(self, error: Exception) -> None:
        if self._settling is None:
            log.warning("committed offsets cannot be read, retrying", error=repr(error))
        self._settling = type(error).__name__

    def clear(self) -> None:
        """Forget partitions that are not ours any more."""
        for one in (self._errors, self._again_at, self._tries, self._passing, self.cut):
            one.clear()
        self._settling = None
        self.epochs.clear()

    def happened(self, taken: Taken) -> None:
        for place, error in taken.errors.items():
            self._errors[place] = error
            self._again_at[place] = time.monotonic() + AGAIN_SECONDS
        for place in taken.positions:
            if place not in taken.errors:
                self._tries.pop(place, None)
        for place, (failed_at, _) in list(self._passing.items()):
            if self._consumer.was_fetched_since(place, failed_at):
                del self._passing[place]
                log.info(
                    "partition can be read again", topic=place.topic, partition=place.partition
                )

    async def looked_into(self) -> list[Lost]:
        """The records lost by the errors since the last call; reading goes on after them."""
        lost: list[Lost] = []
        for place, error in list(self._errors.items()):
            try:
                if (found := await self._look_into(place, error)) is not None:
                    lost.append(found)
            except IllegalStateError:
                pass  # It is no longer ours.
            except KafkaError as another:
                self._say(place, another)
            self._errors.pop(place, None)
        return lost

    async def _look_into(self, place: KafkaPartition, error: KafkaError) -> Lost | None:
        match error:
            case OffsetOutOfRangeError():
                return await self._out_of_range(place, error.args[0][place])
            case UnreadableError():
                return self._unreadable(place, error)
            case NewLeaderError():
                await self._new_leader(place, error)
                return None
            case _:
                self._say(place, error)
                return None

    async def _out_of_range(self, place: KafkaPartition, position: int) -> Lost | None:
        begin = (await self._consumer.beginning_offsets([place]))[place]
        if position < begin:
            self._go_on(place, begin)
            return Lost(TopicPartition(*place), position, begin, "deleted")
        end = (await self._consumer.end_offsets([place]))[place]
        if position > end:
            self._cut_off(place, position, await self.epochs.beyond(place, position, begin))
        return None

    async def _new_leader(self, place: KafkaPartition, error: NewLeaderError) -> None:
        """Read on, if it has all that was read."""
        if (at := await self.epochs.continued(place, error)) is None:
            self._again_at.pop(place, None)
        else:
            self._cut_off(place, error.position, at)

    def _cut_off(self, place: KafkaPartition, position: int, at: int) -> None:
        if self._is_ours(place):
            log_cut(place, position, at)
            self.cut[place] = at

    def _unreadable(self, place: KafkaPartition, error: UnreadableError) -> Lost | None:
        first, tries = self._tries.get(place, (error.first, 0))
        tries = tries + 1 if first == error.first else 1
        self._tries[place] = error.first, tries
        if tries == 1:
            log.error(
                "batch cannot be parsed, reading it again",
                topic=place.topic,
                partition=place.partition,
                offset=error.first,
                error=str(error),
            )
        if tries < UNREADABLE_TRIES:
            return None
        self._go_on(place, error.before)
        return Lost(TopicPartition(*place), error.first, error.before, "unreadable")

    def restarted(self, place: KafkaPartition) -> int | None:
        """All that was read of a log that was cut is settled: read it again from there.

        Returns where that is, if the partition is still ours.
        """
        if (at := self.cut.pop(place, None)) is None or not self._is_ours(place):
            return None
        self._go_on(place, at)
        self.epochs.restarted(place, at)
        return at

    def _is_ours(self, place: KafkaPartition) -> bool:
        return place in self._consumer.assignment()

    def _go_on(self, place: KafkaPartition, offset: int) -> None:
        self._consumer.seek(place, offset)
        self._again_at.pop(place, None)

    def _say(self, place: KafkaPartition, error: KafkaError) -> None:
        """Log one line when a partition cannot be read, and one when it can be read again."""
        why = type(error).__name__
        _, said = self._passing.get(place, (0.0, ""))
        if said != why:
            log.error(
                "partition cannot be read, retrying",
                topic=place.topic,
                partition=place.partition,
                error=str(error),
            )
        self._passing[place] = time.monotonic(), why
