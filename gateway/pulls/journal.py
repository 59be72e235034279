"""What a pull has to remember, in two compacted topics: its cursor, and what it has seen.

Both lie in the partition that its name's hash names, so the member of the group that has this
partition is the only one that writes them.

- `ampgate.cursors`: the key is the pull's name, the value `Standing` as JSON.
- `ampgate.fingerprints`: the key is the pull's name, a zero byte and the object's id; the value
  is its version. A tombstone: the object is gone.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Annotated

import msgspec
from aiokafka import TopicPartition
from msgspec import Meta
from msgspec.structs import replace

from schemas.cancellation import heeding
from schemas.configuration.config import Kafka
from schemas.decoding import NOT_DECODED
from schemas.kafka.fetching.fetch import Consumer
from schemas.kafka.fetching.patience import Patience
from schemas.kafka.log import Log
from schemas.kafka.login import client_arguments
from schemas.kafka.partitioner import positive_hash
from schemas.records import RawRecord

READ_MS = 1_000
READ_RECORDS, READ_BYTES = 5_000, 4_000_000  # At once, in about 10 ms.
SEPARATOR = b"\x00"
SECONDS_MAX = 1e11  # As a time, the year 5138.
Whole = Annotated[int, Meta(ge=0, le=2**53)]


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a pull is. Times are seconds since the epoch."""

    run: Whole = 0
    cursor: str | None = None  # Of the run that is under way; None at its beginning.
    start: str | None = None  # Where each run begins, as the last one said.
    began: Annotated[float, Meta(ge=0, le=SECONDS_MAX)] = 0.0
    finished: float | None = None  # None while the run is under way.
    month: str = ""  # As `2026-11`, UTC,
    spent: Whole = 0  # and what was used in it of what the API allows a month.
    asked: Sequence[tuple[Whole, Whole]] = ()  # What still counts in the API's limit.
    type: str = ""  # Of the pull that has the name; empty if that was not noted yet.

    def begun_anew(self, run: int, began: float) -> "Standing":
        """At the beginning of this run."""
        return replace(self, run=run, cursor=self.start, began=began, finished=None)


_standing = msgspec.json.Decoder(Standing)


class Journal:
    def __init__(self, kafka: Kafka, log: Log) -> None:
        self._kafka = kafka
        self._log = log
        self._cursors = kafka.topics.cursors
        self._fingerprints = kafka.topics.fingerprints

    async def reached(self) -> None:
        """Returns once Kafka was reached for the first time."""
        await self._log.connected()

    async def partitions(self) -> int:
        """How many the topic of cursors has; `NotStored` where it, or Kafka, is not there."""
        return await self._log.partitions(self._cursors)

    def partition(self, pull: str, count: int) -> int:
        return positive_hash(pull.encode()) % count

    async def note(self, pull: str, partition: int, standing: Standing) -> None:
        """Returns when Kafka has it."""
        record = RawRecord(pull.encode(), msgspec.json.encode(standing), ())
        await self._log.submit(self._cursors, record, partition)

    async def remember(
        self, pull: str, partition: int, objects: Iterable[tuple[str, bytes | None]]
    ) -> None:
        """Of each object its version, or None if it is gone; returns when Kafka has all."""
        stored = {
            self._log.submit(self._fingerprints, RawRecord(_key(pull, id_), version, ()), partition)
            for id_, version in objects
        }
        for one in stored:
            await one

    async def standing(self, pull: str, partition: int) -> Standing | None:
        """The newest, or None: the pull never ran."""
        found: Standing | None = None
        key = pull.encode()
        async for records in self._read(self._cursors, partition):
            for record in records:
                if record.key == key:
                    found = read_standing(record.value)
        return found

    async def recall(
        self, pull: str, partition: int, each: Callable[[Sequence[tuple[str, bytes | None]]], None]
    ) -> None:
        """Hand over what was remembered, in order; a later version of an object replaces it.

        `each` is called in a thread. Millions of records come without a pause: the group would have
        no heartbeat of ours meanwhile, and give the pull to another process.
        """
        prefix = pull.encode() + SEPARATOR
        async for records in self._read(self._fingerprints, partition):
            await asyncio.to_thread(each, list(_objects(records, prefix)))

    def unwritten(self) -> "Journal":
        """The same, which remembers nothing more."""
        return _Unwritten(self._kafka, self._log)

    async def suppressions(self) -> AsyncIterator[list[RawRecord]]:
        """The whole topic, as it is now; those of a key in order."""
        topic = self._kafka.topics.suppressions
        for number in range(await self._log.partitions(topic)):
            async for records in self._read(topic, number):
                yield records

    async def _read(self, topic: str, partition: int) -> AsyncIterator[list[RawRecord]]:
        """The whole partition, as it is now."""
        place = TopicPartition(topic, partition)
        consumer = Consumer(
            **client_arguments(self._kafka),
            auto_offset_reset="none",
            isolation_level="read_committed",
            enable_auto_commit=False,
        )
        try:
            await consumer.start()
            consumer.assign([place])
            begin = (await consumer.beginning_offsets([place]))[place]
            end = (await consumer.end_offsets([place]))[place]
            consumer.seek(place, begin)
            patience = Patience()
            while await consumer.position(place) < end:
                taken = patience.of(
                    await consumer.take(
                        [place], timeout_ms=READ_MS, records_max=READ_RECORDS, bytes_max=READ_BYTES
                    )
                )
                for _, error in taken.other_errors(consumer.believe):
                    raise error
                for records in taken.records:
                    yield [RawRecord(record.key, record.value, ()) for record in records]
                await asyncio.sleep(0)  # What was fetched already comes without a pause.
        finally:
            await heeding(consumer.stop())


class _Unwritten(Journal):
    async def note(self, pull: str, partition: int, standing: Standing) -> None:
        pass

    async def remember(
        self, pull: str, partition: int, objects: Iterable[tuple[str, bytes | None]]
    ) -> None:
        pass


def _objects(records: Iterable[RawRecord], prefix: bytes) -> Iterator[tuple[str, bytes | None]]:
    """Those of a pull; a key that none of ours has written is no object."""
    for record in records:
        if record.key is not None and record.key.startswith(prefix):
            with suppress(UnicodeDecodeError):
                yield record.key[len(prefix) :].decode("utf-8", "surrogatepass"), record.value


def _key(pull: str, object_id: str) -> bytes:
    return pull.encode() + SEPARATOR + object_id.encode("utf-8", "surrogatepass")


def read_standing(value: bytes | None) -> Standing | None:
    """What cannot be read is nobody's standing: the pull starts over."""
    try:
        return None if value is None else _standing.decode(value)
    except NOT_DECODED:
        return None
