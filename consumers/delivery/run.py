"""A run: usable records of a partition in a row, by columns; none of them failed or was held.

Most records are delivered at the first attempt: as entries, each with its record and its wire form,
they cost a third more. A run becomes entries as soon as they differ in what becomes of them.
"""

from collections.abc import Iterator, Sequence
from operator import is_

from msgspec import Struct

from consumers.delivery.encoded_run import EncodedRun
from consumers.delivery.entry import RECORD_BYTES, Entry, size_of
from consumers.delivery.offsets import Offsets
from schemas.columns import Columns


class Run(Struct, frozen=True, eq=False, gc=False):
    offsets: Offsets  # Where their offsets are settled.
    records: Columns
    encoded: EncodedRun
    size: int  # Their bytes in memory.

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Entry]:
        offsets = self.offsets
        for record, encoded in zip(self.records, self.encoded, strict=True):
            yield Entry(record, offsets, record.offset, encoded, size_of(record, encoded))

    @property
    def body_bytes(self) -> int:
        """With a comma behind each body."""
        return sum(map(len, self.encoded.bodies)) + len(self)

    def part(self, first: int, before: int) -> "Run":
        """Those from position `first` to before `before`."""
        if first == 0 and before >= len(self):
            return self
        some = slice(first, before)
        return run_of(self.offsets, self.records[some], self.encoded[some])

    def only(self, chosen: Sequence[bool]) -> "Run":
        """Those that are chosen, by their position."""
        return run_of(self.offsets, self.records.only(chosen), self.encoded.only(chosen))

    def followed_by(self, later: "Run") -> "Run":
        """With records of the same partition, behind these."""
        records, encoded = self.records[:], self.encoded[:]
        records.extend(later.records)
        encoded.extend(later.encoded)
        return Run(self.offsets, records, encoded, self.size + later.size)


def run_of(offsets: Offsets, records: Columns, encoded: EncodedRun) -> Run:
    size = RECORD_BYTES * len(records) + sum(map(len, encoded.bodies))
    if not all(map(is_, records.values, encoded.bodies)):  # Some values are kept besides.
        pairs = zip(records.values, encoded.bodies, strict=True)
        size += sum([len(value) for value, body in pairs if value and value is not body])
    return Run(offsets, records, encoded, size)
