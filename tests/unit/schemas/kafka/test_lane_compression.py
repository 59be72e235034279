"""A batch whose compression Kafka refuses is sent again with another one."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from aiokafka.errors import UnknownError, UnsupportedForMessageFormatError
from aiokafka.record.memory_records import MemoryRecords
from structlog.testing import capture_logs

from schemas.kafka.batches import NotStored
from schemas.kafka.compression import CODECS, UnsupportedCompressionTypeError
from schemas.records import NewRecord
from tests.unit.schemas.kafka.lanes import RECORD, Producer, a_lane, added, numbers


def records_of(taken: Any) -> tuple[int, list[tuple[bytes, bytes, list[tuple[str, bytes]]]]]:  # noqa: ANN401
    """The codec that Kafka reads, and the records."""
    batch = MemoryRecords(bytes(taken.get_data_buffer())).next_batch()
    codec: int = batch.compression_type
    return codec, [(one.key, one.value, list(one.headers)) for one in batch]


@pytest.mark.parametrize(
    ("configured", "error", "tried"),
    [
        ("lz4", UnsupportedCompressionTypeError, ["lz4", "gzip", "none"]),
        ("gzip", UnsupportedForMessageFormatError, ["gzip", "lz4", "none"]),
        ("snappy", UnsupportedForMessageFormatError, ["snappy", "lz4", "gzip", "none"]),
        ("zstd", UnsupportedCompressionTypeError, ["zstd", "lz4", "gzip", "none"]),
    ],
)
async def test_records_whose_compression_is_refused_are_sent_again_with_the_next_one(
    configured: str, error: type[Exception], tried: list[str]
) -> None:
    producer = Producer()
    lane = a_lane(producer, batch_bytes=20_000, compression=configured)
    records = [NewRecord(b"key", b"x" * 2_000 + b"%d" % n, [("source", b"web")]) for n in range(3)]
    stored = added(lane, records)
    seen = []
    with capture_logs() as said:
        for codec in tried:
            await producer.handed_over.wait()
            taken = producer.take()
            seen.append((*records_of(taken), numbers(taken)))
            if codec == "none":
                taken.done(0)
            else:
                taken.failure(error())
        await asyncio.wait(stored)
        [later] = added(lane, records[:1])
        await producer.handed_over.wait()
        again = producer.take()
        again.done(3)
        await later

    sent = [(one.key, one.value, list(one.headers)) for one in records]
    assert seen == [(CODECS[codec], sent, (1, epoch, 0)) for epoch, codec in enumerate(tried)], (
        "a batch that was refused leaves a gap in the numbers"
    )
    assert records_of(again)[0] == CODECS["none"]
    assert [(one["refused"], one["using"]) for one in said] == list(pairwise(tried))


async def test_two_batches_refused_for_one_codec_are_said_once() -> None:
    producer = Producer()
    lane = a_lane(producer, batch_bytes=3_000, compression="lz4")
    stored = added(lane, [NewRecord(b"key", b"x" * 2_000)] * 2)
    codecs = []
    with capture_logs() as said:
        for _ in range(4):
            await producer.handed_over.wait()
            taken = producer.take()
            codecs.append(records_of(taken)[0])
            if codecs[-1] == CODECS["lz4"]:
                taken.failure(UnsupportedCompressionTypeError())
            else:
                taken.done(0)
        await asyncio.wait(stored)

    assert codecs == [CODECS["lz4"], CODECS["gzip"], CODECS["lz4"], CODECS["gzip"]]
    assert len(said) == 1


async def test_an_error_of_a_batch_that_is_not_compressed_is_none_of_the_compression() -> None:
    producer = Producer()
    lane = a_lane(producer, compression="none")
    [stored] = added(lane, [RECORD])
    await producer.handed_over.wait()
    producer.take().failure(UnsupportedForMessageFormatError())
    await asyncio.wait([stored])

    assert isinstance(stored.exception(), NotStored)


async def test_an_old_kafka_says_of_zstd_only_that_something_went_wrong() -> None:
    producer = Producer()
    lane = a_lane(producer, batch_bytes=20_000, compression="zstd")
    [stored] = added(lane, [NewRecord(b"key", b"x" * 2_000)])
    await producer.handed_over.wait()
    producer.take().failure(UnknownError())
    await producer.handed_over.wait()
    taken = producer.take()
    taken.done(0)
    await stored

    assert records_of(taken)[0] == CODECS["lz4"]
