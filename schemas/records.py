"""The record: what is appended to a topic and read from it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

Headers = Sequence[tuple[str, bytes | None]]  # A producer may write a null.


class TopicPartition(NamedTuple):
    """Equal to aiokafka's own, without importing it."""

    topic: str
    partition: int


class Standing(NamedTuple):
    """How far a partition was read: the next offset to read, and the partition's end."""

    position: int
    end: int


class Offsets(NamedTuple):
    """From `first` to before `before`."""

    first: int
    before: int


class Record(Protocol):
    """A record as it was read, by our own reading or by aiokafka's."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch: when the edge, or a producer, accepted it."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class Stored(Struct, frozen=True, gc=False):
    """A `Record` that is built here: with other bytes, or not read by aiokafka's consumer.

    By the million, so it is no dataclass, which takes five times as long to build.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def origin(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"

    def header(self, name: str) -> str | None:
        """The last header of that name, as text."""
        for found, value in reversed(self.headers):
            if found == name:
                return (value or b"").decode(errors="replace")
        return None


class NewRecord(Struct, frozen=True, gc=False):
    """A record to be written to a topic. A named tuple takes four times as long to build."""

    key: bytes | None
    value: bytes
    headers: Headers = ()


class RawRecord(NamedTuple):
    """A record of any topic; its key and value may be null."""

    key: bytes | None
    value: bytes | None
    headers: Headers


Appendable = NewRecord | RawRecord


def source_of(record: Record) -> str:
    """The name of the source; a record without the header, or with a null, counts as `kafka`."""
    return source_in(record.headers)


def source_in(headers: Headers) -> str:
    """The same, as these headers name it."""
    for name, value in headers:
        if name == "source" and value is not None:
            return value.decode(errors="replace")
    return "kafka"
