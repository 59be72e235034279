"""Logs of partitions as Kafka stores them: transactions, compacted and broken batches, epochs."""

import struct
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

from aiokafka.protocol.fetch import FetchResponse_v11
from hypothesis import strategies as st

from tests.raw_batches import CODECS, CONTROL, TRANSACTIONAL, Raw, batch

OFFSET_OUT_OF_RANGE = 1
PLAIN, GAP_MAX = -1, 2  # No producer of transactions; offsets that compaction removed.
OURS, OTHERS = b"ours", b"others'"

Kind = Literal[
    "ours", "others'", "empty", "wrong crc", "broken record", "committed", "aborted", "empty marker"
]


class Write(NamedTuple):
    """Of a producer, with offsets that are missing before and after; the first of a new leader?"""

    kind: Kind
    producer: int
    records: int
    codec: str
    gap: int
    hole: int
    is_elected: bool


writes = st.builds(
    Write,
    st.sampled_from(["ours", "ours", "committed", "aborted", *get_args(Kind)]),
    st.sampled_from([PLAIN, 1, 1, 2]),
    st.integers(1, 4),
    st.sampled_from([*["none"] * 4, *CODECS]),
    st.sampled_from([0, 0, 0, GAP_MAX]),
    st.sampled_from([0, 0, 1, GAP_MAX]),
    st.sampled_from([False, False, False, True]),
)


class Batch(NamedTuple):
    base: int
    end: int
    epoch: int
    producer: int
    content: bytes
    records: dict[int, bytes]  # By offset, as far as they can be read.
    broken_at: int | None = None  # From here on it cannot be read.


class Aborted(NamedTuple):
    producer: int
    first: int
    marker: int


@dataclass(slots=True)
class Log:
    start: int = 0
    end: int = 0
    epoch: int = 0
    batches: list[Batch] = field(default_factory=list)  # Also those that were deleted.
    begun: dict[int, int] = field(default_factory=dict)  # Where open transactions begin.
    aborted: list[Aborted] = field(default_factory=list)

    @property
    def stable(self) -> int:
        """Up to where committed records are given out."""
        return min(self.begun.values(), default=self.end)

    @property
    def readable_to(self) -> int:
        """Where the last batch ends that is given out: before `stable`, offsets may be missing."""
        return max((one.end for one in self.batches if one.base < self.stable), default=0)

    def append(self, write: Write) -> None:
        self.epoch += write.is_elected
        self.end += write.gap
        match write.kind:
            case "committed" | "aborted" | "empty marker":
                self._mark(write)
            case "empty":
                self._store(write, [], PLAIN)
            case _:
                self._write(write)

    def _mark(self, write: Write) -> None:
        """A control batch; once it was compacted, it has no record."""
        producer = max(write.producer, 1)
        begun = self.begun.pop(producer, None)
        if write.kind == "aborted" and begun is not None:
            self.aborted.append(Aborted(producer, begun, self.end))
        key = struct.pack(">hh", 0, write.kind != "aborted")
        marker = [] if write.kind == "empty marker" else [Raw(key, bytes(6))]
        data = batch(
            marker,
            base_offset=self.end,
            span=1,
            flags=TRANSACTIONAL | CONTROL,
            producer=producer,
            epoch=self.epoch,
        )
        self._add(Batch(self.end, self.end + 1, self.epoch, PLAIN, data, {}))

    def _write(self, write: Write) -> None:
        whose = OTHERS if write.kind == "others'" else OURS
        records = [Raw(b"k", whose + str(self.end + at).encode()) for at in range(write.records)]
        is_broken = write.kind in ("wrong crc", "broken record")
        if write.kind == "broken record":
            records[-1] = Raw(b"k", OURS, length=3)
        producer = PLAIN if is_broken else write.producer
        if producer != PLAIN:
            self.begun.setdefault(producer, self.end)
        self._store(write, records, producer)

    def _store(self, write: Write, records: list[Raw], producer: int) -> None:
        base, end = self.end, self.end + write.records + write.hole
        data = batch(
            records,
            write.codec if records else "none",
            base_offset=base,
            span=end - base,
            flags=0 if producer == PLAIN else TRANSACTIONAL,
            producer=producer,
            epoch=self.epoch,
        )
        readable = {base + at: one.value or b"" for at, one in enumerate(records)}
        broken_at = None
        if write.kind == "wrong crc":
            data, readable, broken_at = data[:17] + bytes(4) + data[21:], {}, base
        if write.kind == "broken record":
            broken_at = base + len(records) - 1
            del readable[broken_at]
        self._add(Batch(base, end, self.epoch, producer, data, readable, broken_at))

    def _add(self, added: Batch) -> None:
        self.batches.append(added)
        self.end = added.end

    def from_(self, offset: int) -> list[Batch]:
        return [one for one in self.batches if one.end > offset]

    def is_aborted(self, one: Batch) -> bool:
        return any(
            found.producer == one.producer and found.first <= one.base < found.marker
            for found in self.aborted
        )

    def answered(self, number: int, offset: int, bytes_max: int) -> tuple[object, ...]:
        """A partition of an answer: the first batch is whole, the last may be cut."""
        if not self.start <= offset <= self.end:
            return refused(number, OFFSET_OUT_OF_RANGE)
        content, to = b"", offset
        for one in self.from_(offset):
            if one.base >= self.stable or (content and len(content) >= bytes_max):
                break
            content += one.content if not content else one.content[: bytes_max - len(content)]
            to = one.end
        aborted = [one[:2] for one in self.aborted if one.marker >= offset and one.first < to]
        return number, 0, self.end, self.stable, self.start, aborted, -1, content


def refused(number: int, code: int) -> tuple[object, ...]:
    return number, code, -1, -1, -1, [], -1, b""


def answer(topic: str, partitions: list[tuple[object, ...]]) -> FetchResponse_v11:
    return FetchResponse_v11(0, 0, 0, [(topic, partitions)])
