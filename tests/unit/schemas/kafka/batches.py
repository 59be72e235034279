"""What a record takes in Kafka, uncompressed."""

from aiokafka.producer.message_accumulator import BatchBuilder

from schemas.kafka.flushes import Appendable


def size_in_a_batch(record: Appendable) -> int:
    """Bytes of a batch of it alone: what `max.message.bytes` is compared with."""
    key, value, headers = record
    alone = BatchBuilder(10_000_000, 0)
    alone.append(timestamp=1_800_000_000_000, key=key, value=value, headers=list(headers))
    return len(alone._build())
