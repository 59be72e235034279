"""Records of one partition, by columns: by the million, an object for each would be felt."""

from collections.abc import Iterator, Sequence
from itertools import compress, repeat
from operator import itemgetter
from typing import Protocol, Self, TypeVar, overload

from schemas.records import Headers, Record, Stored

Value = TypeVar("Value")


class Part(Protocol):
    """Takes some values of a column, in their order."""

    def __call__(self, column: list[Value], /) -> list[Value]: ...


class Columns(Sequence[Record]):
    """A sequence of records, in order; each is built when it is asked for."""

    __slots__ = ("headers", "keys", "offsets", "partition", "timestamps", "topic", "values")

    def __init__(
        self,
        topic: str,
        partition: int,
        offsets: list[int],
        timestamps: list[int],
        keys: list[bytes | None],
        values: list[bytes | None],
        headers: list[Headers],
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.offsets = offsets
        self.timestamps = timestamps
        self.keys = keys
        self.values = values
        self.headers = headers

    @classmethod
    def none_of(cls, topic: str, partition: int) -> Self:
        return cls(topic, partition, [], [], [], [], [])

    def __len__(self) -> int:
        return len(self.offsets)

    def __iter__(self) -> Iterator[Record]:
        topic, partition = repeat(self.topic), repeat(self.partition)
        return map(
            Stored,
            topic,
            partition,
            self.offsets,
            self.timestamps,
            self.keys,
            self.values,
            self.headers,
        )

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Record | Self:
        if isinstance(index, slice):
            return self._of(itemgetter(index))
        return Stored(
            self.topic,
            self.partition,
            self.offsets[index],
            self.timestamps[index],
            self.keys[index],
            self.values[index],
            self.headers[index],
        )

    def only(self, chosen: Sequence[bool]) -> Self:
        """Those that are chosen, by their position."""
        return self._of(lambda column: list(compress(column, chosen)))

    def extend(self, later: "Columns") -> None:
        """Append records of the same partition, behind these."""
        self.offsets += later.offsets
        self.timestamps += later.timestamps
        self.keys += later.keys
        self.values += later.values
        self.headers += later.headers

    def _of(self, part: Part) -> Self:
        """The same part of each column."""
        return type(self)(
            self.topic,
            self.partition,
            part(self.offsets),
            part(self.timestamps),
            part(self.keys),
            part(self.values),
            part(self.headers),
        )
