"""The batch limit of each topic: Kafka's setting, else a guess from refusals.

Kafka compares `max.message.bytes` of the topic with a whole batch as it was sent, compressed.
"""

from dataclasses import dataclass

BATCH_BYTES = 900_000  # Below the 1 MB that Kafka's brokers accept by default.
RECORD_BYTES = 21_000_000  # The largest request of the edge, and the record around it.
DEFAULT_BYTES = 1_048_588  # `max.message.bytes` of a topic that sets none.


def raw_bytes(limit: int) -> int:
    """Up to this size, any batch is within the limit even if compression makes it longer.

    Codecs add 1/3,270 and 28 bytes at most (measured: gzip).
    """
    return max(1, limit - limit // 1024 - 64)


@dataclass(frozen=True, slots=True)
class Size:
    """In bytes: how far batches are filled, and from which size a record is refused."""

    batch: int = BATCH_BYTES
    record: int = RECORD_BYTES
    is_told: bool = False  # The limit is Kafka's setting; else a guess from refusals.


ANY = Size()


class Sizes:
    def __init__(self) -> None:
        self._of: dict[str, Size] = {}

    def of(self, topic: str) -> Size:
        return self._of.get(topic, ANY)

    def told(self, topic: str, limit: int) -> None:
        """Set the limit that Kafka returned."""
        self._of[topic] = Size(
            min(BATCH_BYTES, raw_bytes(limit)), min(RECORD_BYTES, limit), is_told=True
        )

    def untold(self, topic: str) -> None:
        """The limit is not known: forget guesses, since it may have been raised."""
        self._of.pop(topic, None)

    def refused(self, topic: str, size: int, records: int) -> None:
        """A batch of `size` bytes was too large; if it was one record, so is every such record."""
        known = self.of(topic)
        if records == 1:
            largest = min(known.record, size - 1)
            self._of[topic] = Size(min(known.batch, raw_bytes(largest)), largest)
        else:
            self._of[topic] = Size(min(known.batch, size // 2), known.record)

    def room(self, topic: str, refused: int) -> int:
        """The size, before compression, to which a refused record of so many bytes is cut."""
        known = self.of(topic)
        if known.is_told and known.record < refused:
            return raw_bytes(known.record)
        return raw_bytes(DEFAULT_BYTES) if refused > DEFAULT_BYTES else refused // 2
