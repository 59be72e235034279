"""What a record takes in Kafka, uncompressed."""

from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.records import Appendable


def size_in_a_batch(record: Appendable) -> int:
    """Bytes of a batch of it alone: what `max.message.bytes` is compared with."""
    alone = BatchBuilder(10_000_000, 0)
    headers = list(record.headers)
    alone.append(timestamp=1_800_000_000_000, key=record.key, value=record.value, headers=headers)
    return len(alone._build())
