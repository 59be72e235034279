"""What a fetch brought of one partition, given out some records at a time."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from operator import lt
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.control_record import ABORT_MARKER, ControlRecord

from schemas.columns import Columns
from schemas.kafka.fetching.batches import Batches, Pieces
from schemas.records import Headers, Record


class UnreadableError(CorruptRecordException):  # type: ignore[misc]  # aiokafka has no types.
    """A batch that cannot be parsed: its offsets from `first` to before `before`."""

    def __init__(self, first: int, before: int, why: Exception) -> None:
        super().__init__(repr(why))
        self.first = first
        self.before = before


class FetchedRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types.
    """Takes the place of aiokafka's: a batch, or a piece of it, becomes records at once.

    A batch that aiokafka's parser refuses is parsed once more, by ours. Nothing here refers to
    itself, so what is thrown away half read, as at each seek, is freed at once: a batch may be many
    megabytes, and the collector of cycles comes late.
    """

    next_fetch_offset: int
    _records: Batches

    def __init__(
        self,
        place: TopicPartition,
        records: Batches,
        *arguments: Any,  # noqa: ANN401
        **named: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(place, records, *arguments, **named)
        self._records_iterator = None  # aiokafka's own is not used, and refers to this object.
        self._parts: Iterator[Iterable[Any]] | None = None  # Of the batch that is being read.
        self.epoch = records.epoch  # Of the leader that wrote it: all is of one.
        self._batch_end = 0
        self._last = -1  # The offset of the last record that was parsed.
        self._is_in_pieces = False
        self._failure: Exception | None = None  # Met behind what is given out first.
        self._read = Columns.none_of(*place)
        self._given = 0  # How many of these were given out.

    @property
    def held_bytes(self) -> int:
        """What came, for as long as it is kept, and what is decompressed of it."""
        parsed = self._read.values[self._given :]
        return self._records.size_in_bytes() + sum([len(value or b"") for value in parsed])

    def __next__(self) -> Record:
        records, _ = self.some(1, 1)
        if not records:
            raise StopIteration
        return records[0]

    def some(self, records_max: int, bytes_max: int) -> tuple[Columns, int]:
        """The next records and the bytes of their values; none at the end.

        Of values at most `bytes_max`, and one more. Raises `UnreadableError`.
        """
        if not self._read:
            self._read = self._next_records()
        first, records = self._given, self._read
        if first or len(records) > records_max:
            records = records[first : first + records_max]
        size = sum([len(value) for value in records.values if value is not None])
        if size > bytes_max:
            sizes = [len(value or b"") for value in records.values]
            count = sum(1 for before in accumulate(sizes[:-1], initial=0) if before < bytes_max)
            records, size = records[:count], sum(sizes[:count])
        self._given += len(records)
        if records:
            self.next_fetch_offset = records.offsets[-1] + 1
        if self._given == len(self._read):
            self._release()
        return records, size

    def _release(self) -> None:
        """Keep nothing of what was given out: it may be 24 MB, and stay until others are read."""
        self._read, self._given = Columns.none_of(*self._tp), 0
        if self._parts is None and self._failure is None:
            # Of a compacted batch the last records may be gone: it ends where it says.
            self.next_fetch_offset = max(self.next_fetch_offset, self._batch_end)
            if not self._records.has_next():
                self._records = Batches(b"")

    def _next_records(self) -> Columns:
        while True:
            try:
                return self._next_part()
            except Exception as error:  # Whatever bytes may raise.
                self._parts = None
                if self._records.try_again() or self._is_whole:
                    continue
                before = self._records.batch_end(self.next_fetch_offset)
                raise UnreadableError(self.next_fetch_offset, before, error) from error

    @property
    def _is_whole(self) -> bool:
        """Whether the last record of the batch was parsed: what follows it has no offset."""
        return 0 < self._batch_end == self._last + 1

    def _next_part(self) -> Columns:
        while True:
            if (failure := self._failure) is not None:
                self._failure = None
                raise failure
            if self._parts is None:
                # Another leader's batches are fetched once more, to look at what it had.
                if not self._records.has_next() or not self._records.is_of_one_leader:
                    return Columns.none_of(*self._tp)
                self._batch_end = 0
                self._parts = self._begin(self._records.next_batch())
            part = next(self._parts, None)
            if part is None:
                self._parts = None
                self._release()
                continue
            if not self._is_in_pieces:
                self._parts = None
            if records := self._parsed(part):
                return records

    def _begin(self, batch: Any) -> Iterator[Iterable[Any]]:  # noqa: ANN401  aiokafka's, or ours.
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException("the CRC is wrong")
        self._last = batch.base_offset - 1
        self._batch_end = max(batch.next_offset, batch.base_offset + 1)
        self._is_in_pieces = isinstance(batch, Pieces)
        is_aborted = False
        if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            is_aborted = batch.is_transactional and batch.producer_id in self._aborted_producers
        if is_aborted or batch.is_control_batch:
            return iter(())
        return self._records.parts(batch)

    def _contains_abort_marker(self, batch: Any) -> bool:  # noqa: ANN401  As above.
        """Compaction may leave a control batch empty: aiokafka's own raises then."""
        return any(ControlRecord.parse(one.key) == ABORT_MARKER for one in batch)

    def _parsed(self, part: Iterable[Any]) -> Columns:
        parsed: list[Any] = []
        try:
            parsed.extend(part)
        except Exception as error:  # noqa: BLE001  What came before it is given out first.
            self._failure = error
        offsets = [one.offset for one in parsed]
        count = ascending(offsets, self._last, self._batch_end)
        if count < len(parsed):  # A broker stores it as its producer wrote it.
            self._failure = CorruptRecordException("an offset is not one of its batch")
            del parsed[count:], offsets[count:]
        if offsets:
            self._last = offsets[-1]
        topic, partition = self._tp
        records = Columns(
            topic,
            partition,
            offsets,
            [one.timestamp for one in parsed],
            [one.key for one in parsed],
            [one.value for one in parsed],
            shared([one.headers for one in parsed]),
        )
        if offsets and offsets[0] < self.next_fetch_offset:  # A fetch begins at a batch.
            return records[bisect_left(offsets, self.next_fetch_offset) :]
        return records


def ascending(offsets: Sequence[int], last: int, end: int) -> int:
    """How many of these ascend, each after `last` and before `end`, until one does not."""
    if not offsets:
        return 0
    if last < offsets[0] and offsets[-1] < end and all(map(lt, offsets, islice(offsets, 1, None))):
        return len(offsets)
    for index, offset in enumerate(offsets):
        if not last < offset < end:
            return index
        last = offset
    return len(offsets)


def shared(headers: Sequence[list[tuple[str, bytes | None]]]) -> list[Headers]:
    """The same, where those that are equal to the one before are the same object.

    Most are, and containers by the thousand keep the collector busy.
    """
    if headers and headers.count(headers[0]) == len(headers):
        return [tuple(headers[0])] * len(headers)
    found: list[Headers] = []
    last: list[tuple[str, bytes | None]] | None = None
    for own in headers:
        if own != last:
            last, same = own, tuple(own)
        found.append(same)
    return found
