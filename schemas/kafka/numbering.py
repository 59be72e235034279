"""Sequence numbers of one partition's batches, by which Kafka stores each once. Pure.

aiokafka goes on counting after a batch that failed for good, and Kafka then refuses every later
batch of that partition (OutOfOrderSequenceNumber). So here each partition has its own numbers, and
after a failure begins a new epoch at 0, as Java's producer does (KIP-360): the next batch is
accepted, and late batches of the old epoch are refused (InvalidProducerEpoch).
"""

EPOCH_MAX = 32_767  # An int16 in the batch's header.
SEQUENCE_MASK = 0x7FFF_FFFF  # After the largest int32 comes 0.


class Numbering:
    __slots__ = ("_epoch", "_next", "_producer_id")

    def __init__(self) -> None:
        self._producer_id = -1
        self._epoch = 0
        self._next = 0

    def take(self, producer_id: int, records: int) -> tuple[int, int]:
        """The epoch and the first sequence number of a batch of so many records."""
        if producer_id != self._producer_id:
            self._producer_id, self._epoch, self._next = producer_id, 0, 0
        number = self._next
        self._next = (number + records) & SEQUENCE_MASK
        return self._epoch, number

    def restart(self) -> bool:
        """Begin a new epoch; False if none is left: then another producer id is needed."""
        if self._epoch == EPOCH_MAX:
            return False
        self._epoch += 1
        self._next = 0
        return True
