"""A log with the order and the failures of Kafka's: a queue a partition; what fails takes all that
is behind it in its partition along, and may be stored nevertheless."""

import asyncio
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from schemas.kafka.batches import NotStored, TooLargeForKafka
from schemas.kafka.flushes import Write
from schemas.records import NewRecord

PARTITIONS = 3
STEP_SECONDS = 0.001


@dataclass
class Partition:
    is_up: bool = True
    loses_answers: bool = False  # It stores, and says that it does not.
    largest: int = sys.maxsize  # What is larger is refused as it is sent.
    stored: list[tuple[int | None, NewRecord]] = field(default_factory=list)
    waiting: deque[tuple[Write, list[NewRecord], int | None]] = field(default_factory=deque)

    def add(self, write: Write, records: list[NewRecord], at_ms: int | None) -> None:
        write.left += 1
        self.waiting.append((write, records, at_ms))
        if len(self.waiting) == 1:
            asyncio.get_running_loop().call_later(STEP_SECONDS, self._end_first)

    def _end_first(self) -> None:
        write, records, at_ms = self.waiting[0]
        if any(len(record.value) > self.largest for record in records):
            self._refuse_first(TooLargeForKafka("events", self.largest + 1))
            return
        if self.is_up or self.loses_answers:
            self.stored += [(at_ms, record) for record in records]
        if self.is_up and not self.loses_answers:
            self.waiting.popleft()
            self._tell([write], None)
        else:
            self._refuse_first(NotStored("away"))
        if self.waiting:
            asyncio.get_running_loop().call_later(STEP_SECONDS, self._end_first)

    def _refuse_first(self, error: NotStored) -> None:
        first, *behind = [write for write, _, _ in self.waiting]
        self.waiting = deque()
        self._tell([first], error)
        self._tell(behind, NotStored("behind it"))

    def _tell(self, writes: Sequence[Write], error: NotStored | None) -> None:
        for write in writes:
            asyncio.get_running_loop().call_soon(write.one_ended, error)


class KafkaThatFails:
    def __init__(self, largest: int = 1_000) -> None:
        self.partitions = [Partition() for _ in range(PARTITIONS)]
        self.letters: list[NewRecord] = []
        self.has_producer = True
        self.largest = largest
        self.taken_away = set[str]()  # Topics.
        self.is_stopped = False
        self.asked = Counter[str]()  # Of each topic, how often.

    @property
    def is_up(self) -> bool:
        return self.has_producer and all(one.is_up for one in self.partitions)

    def of(self, key: bytes) -> Partition:
        return self.partitions[sum(key) % PARTITIONS]

    def stored(self, key: bytes) -> Iterator[bytes]:
        return (one.value for _, one in self.of(key).stored if one.key == key)

    def begin(
        self, topic: str, records: Sequence[NewRecord], at_ms: int | None = None
    ) -> Write | None:
        self.asked[topic] += 1
        for record in records:
            if not self.fits(topic, record):
                raise TooLargeForKafka(topic, len(record.value))
        if not self.has_producer:
            raise NotStored("no producer")
        if topic in self.taken_away:
            raise NotStored("there is no such topic")
        if topic == "letters":
            return None
        write = Write()
        for partition in self.partitions:
            mine = [one for one in records if self.of(one.key or b"") is partition]
            if mine:
                partition.add(write, mine, at_ms)
        return write

    async def append(
        self, topic: str, records: Sequence[NewRecord], at_ms: int | None = None
    ) -> None:
        write = self.begin(topic, records, at_ms)
        if write is None:
            self.letters += records
        else:
            await write.ended()

    def fits(self, topic: str, record: NewRecord) -> bool:
        return topic == "letters" or len(record.value) <= self.largest

    @contextmanager
    def patient(self, _: float) -> Iterator[None]:
        yield

    async def probe(self) -> bool:
        return self.is_up

    async def start(self) -> None:
        """Nothing is to be started."""

    async def stop(self) -> None:
        self.is_stopped = True
