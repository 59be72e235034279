"""Is a partition stuck, or does it wait for something that a restart would not change?

A partition is stuck when there is something to do, nothing that it waits for, and yet no progress
for a time. It waits for Kafka, if that does not answer; for the destination, if that is paused; and
for whoever of its records is held or parked until a known time. Each partition is judged by itself:
one may be stuck while others go on. Pure: the caller tells the facts, and the time in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.records import TopicPartition

HEARD_SECONDS = 20.0  # Kafka is asked every 5 s where nothing is fetched (kafka_fetch.py).


@dataclass(frozen=True, slots=True)
class Facts:
    """How one partition stands."""

    position: int | None  # The next offset to be read; None before the first.
    end: int
    committable: int | None
    unsettled: int  # Records that were read and are not settled,
    waiting: int  # and how many of these wait until a known time.
    may_be_read: bool  # There is room for more, and nothing that has to be read first.
    answer: object  # Another one with each answer of Kafka's; None before the first.

    @property
    def has_work(self) -> bool:
        is_unread = self.position is None or (self.may_be_read and self.position < self.end)
        return is_unread or self.unsettled > self.waiting

    @property
    def reached(self) -> tuple[int | None, int | None, int]:
        """What progress changes."""
        return self.position, self.committable, self.unsettled


@dataclass(slots=True)
class _Seen:
    facts: Facts
    progressed_at: float
    heard_at: float


class Liveness:
    def __init__(self) -> None:
        self._seen: dict[TopicPartition, _Seen] = {}
        self._looked_at: float | None = None

    def look(self, found: Mapping[TopicPartition, Facts], now: float, *, is_waiting: bool) -> None:
        """All partitions of a worker; `is_waiting` for a paused destination, or for Kafka."""
        self._looked_at = now
        before, self._seen = self._seen, {}
        for place, facts in found.items():
            seen = before.get(place)
            if seen is None:
                seen = _Seen(facts, progressed_at=now, heard_at=now)
            if facts.answer != seen.facts.answer:
                seen.heard_at = now
            is_away = now - seen.heard_at > HEARD_SECONDS
            has_moved = facts.reached != seen.facts.reached
            if has_moved or not facts.has_work or is_waiting or is_away:
                seen.progressed_at = now
            seen.facts = facts
            self._seen[place] = seen

    def stuck(self, after_seconds: float, now: float) -> list[TopicPartition]:
        return [
            place for place, seen in self._seen.items() if now - seen.progressed_at > after_seconds
        ]

    def is_reached(self, now: float) -> bool:
        """Whether Kafka answered lately, as far as this worker has asked."""
        if self._looked_at is None or now - self._looked_at > HEARD_SECONDS:
            return False
        return all(now - seen.heard_at <= HEARD_SECONDS for seen in self._seen.values())
