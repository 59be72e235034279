"""Read the bytes of a fetch as the consumer does."""

from collections.abc import Sequence
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED
from hypothesis import strategies as st

from schemas.kafka.fetching.batches import Batches, MayHave
from schemas.kafka.fetching.fetched import FetchedRecords
from tests.raw_batches import Raw

some_bytes = st.none() | st.binary(max_size=40)
raws = st.builds(
    Raw, some_bytes, some_bytes, st.lists(st.tuples(st.binary(max_size=9), some_bytes), max_size=3)
)


def fetched(
    data: bytes, *, offset: int = 0, check_crcs: bool = True, may_have: MayHave | None = None
) -> FetchedRecords:
    return FetchedRecords(
        TopicPartition("t", 0),
        Batches(data, may_have),
        [],
        offset,
        None,
        None,
        check_crcs=check_crcs,
        isolation_level=READ_COMMITTED,
    )


def contents(records: Sequence[Any]) -> list[Raw]:
    return [Raw(one.key, one.value, named(one)) for one in records]


def named(record: ConsumerRecord) -> list[tuple[bytes, bytes | None]]:
    return [(name.encode(), value) for name, value in record.headers]


def as_read(raw: Raw) -> Raw:
    """A name that is not UTF-8 is escaped."""
    names = [name.decode(errors="backslashreplace").encode() for name, _ in raw.headers]
    values = [value for _, value in raw.headers]
    return Raw(raw.key, raw.value, list(zip(names, values, strict=True)))
