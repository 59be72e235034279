"""Which partition a key has."""

from itertools import count as turns_from

from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from schemas.kafka.partitioner import positive_hash, shares
from schemas.records import NewRecord


@given(st.binary(max_size=70))
def test_a_key_has_the_partition_that_every_client_gives_it(key: bytes) -> None:
    assert positive_hash(key) == murmur2(key) & 0x7FFFFFFF


@given(st.lists(st.none() | st.binary(max_size=2)), st.integers(1, 5))
def test_records_go_to_their_keys_partitions_in_order(keys: list[bytes | None], count: int) -> None:
    records = [NewRecord(key, b"%d" % number) for number, key in enumerate(keys)]
    expected: dict[int, list[NewRecord]] = {}
    turn = 3
    for record in records:
        if record.key is None:
            partition, turn = turn % count, turn + 1
        else:
            partition = positive_hash(record.key) % count
        expected.setdefault(partition, []).append(record)

    assert shares(records, count, turns_from(3)) == expected
