"""What a topic takes, where Kafka says it and where only refusals do."""

import os

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.kafka.compression import CODECS
from schemas.kafka.sizes import BATCH_BYTES, DEFAULT_BYTES, RECORD_BYTES, Sizes, raw_bytes


def test_what_kafka_says_bounds_batches_and_records() -> None:
    sizes = Sizes()
    sizes.told("small", 20_000)
    sizes.told("large", 500_000_000)

    assert (sizes.of("small").batch, sizes.of("small").record) == (raw_bytes(20_000), 20_000)
    assert (sizes.of("large").batch, sizes.of("large").record) == (BATCH_BYTES, RECORD_BYTES)


def test_a_refused_batch_of_several_makes_batches_smaller_and_refuses_no_record() -> None:
    sizes = Sizes()
    sizes.refused("t", 800_000, records=5)

    assert sizes.of("t").batch == 400_000
    assert sizes.of("t").record == RECORD_BYTES


def test_a_refused_record_is_refused_from_then_on_until_it_may_have_changed() -> None:
    sizes = Sizes()
    sizes.refused("t", 800_000, records=1)
    assert sizes.of("t").record == 799_999

    sizes.untold("t")
    assert sizes.of("t").record == RECORD_BYTES


def test_a_refused_record_is_cut_to_the_limit_or_halved_below_kafkas_default() -> None:
    sizes = Sizes()
    assert sizes.room("t", 5_000_000) == raw_bytes(DEFAULT_BYTES)
    assert sizes.room("t", DEFAULT_BYTES) == DEFAULT_BYTES // 2
    sizes.told("t", 20_000)
    assert sizes.room("t", 5_000_000) == raw_bytes(20_000)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize("limit", [1_000, 20_000, DEFAULT_BYTES, RECORD_BYTES])
def test_what_no_codec_can_shorten_is_within_the_limit_all_the_same(limit: int, codec: int) -> None:
    batch = BatchBuilder(RECORD_BYTES, codec)
    value = os.urandom(raw_bytes(limit) - 80)
    batch.append(timestamp=0, key=None, value=value, headers=[])

    assert batch.size() <= raw_bytes(limit)
    assert len(batch._build()) <= limit
