"""Which partition a key has."""

from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from schemas.kafka.partitioner import positive_hash


@given(st.binary(max_size=70))
def test_a_key_has_the_partition_that_every_client_gives_it(key: bytes) -> None:
    assert positive_hash(key) == murmur2(key) & 0x7FFFFFFF
