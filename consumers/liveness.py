"""Liveness: whether a partition is stuck, and a restart of the process might help.

A partition is stuck if it has something to do, waits for nothing, and yet makes no progress for a
time. It waits for Kafka, if that does not answer; for the destination, if that is paused; and for
records that are held or parked until a known time. Each partition is judged by itself. Pure: the
caller passes the facts and the time in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.records import TopicPartition

# Kafka is asked every 5 s where nothing is fetched (schemas/kafka/fetching/fetch.py).
HEARD_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Facts:
    """The state of one partition."""

    position: int | None  # The next offset to read; None before the first.
    end: int
    committable: int | None
    unsettled: int  # Records that were read and are not settled,
    waiting: int  # and how many of these wait until a known time.
    may_be_read: bool  # There is room for more, and nothing that has to be read first.
    answer: object  # Changes with each answer of Kafka; None before the first.

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
        """All partitions of a worker; `is_waiting`: for a paused destination, or for Kafka."""
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
        """Whether Kafka answered the worker's last requests."""
        if self._looked_at is None or now - self._looked_at > HEARD_SECONDS:
            return False
        return all(now - seen.heard_at <= HEARD_SECONDS for seen in self._seen.values())
