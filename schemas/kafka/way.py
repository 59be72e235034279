"""What all partitions share that one process writes to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from schemas.kafka.compression import Compression
from schemas.kafka.one_at_a_time import OneAtATime
from schemas.kafka.outage import Outage
from schemas.kafka.sizes import Sizes
from schemas.kafka.timestamps import Timestamps


@dataclass(slots=True)
class Way:
    """State shared by all partitions."""

    producer: Callable[[], Any]  # Raises `NotStored` while there is no producer.
    replace_producer: Callable[[], None]
    ack_timeout_seconds: float | None
    sizes: Sizes
    outage: Outage
    compression: Compression
    large: OneAtATime = field(default_factory=OneAtATime)
    timestamps: Timestamps = field(default_factory=Timestamps)

    @contextmanager
    def patient(self, ack_timeout_seconds: float) -> Iterator[None]:
        """Meanwhile, batches that are sent have so long to be acknowledged."""
        usual, self.ack_timeout_seconds = self.ack_timeout_seconds, ack_timeout_seconds
        try:
            yield
        finally:
            self.ack_timeout_seconds = usual
