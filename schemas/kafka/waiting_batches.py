"""Batches that wait to be sent, as aiokafka's sender takes them.

Of aiokafka's own classes, a batch has two futures and a callback for each, an open transaction is
looked up, and its number in the partition is counted, which is not used here (see `numbering`).
"""

import asyncio
import time
from collections.abc import Callable

from aiokafka.producer.message_accumulator import MessageAccumulator

from schemas.kafka.flushes import OpenBatch
from schemas.records import TopicPartition

Told = Callable[[BaseException | None], None]  # Why the batch failed; None: it is stored.


class WaitingBatch:
    """As much of aiokafka's `MessageBatch` as its sender, and ours, ask for."""

    __slots__ = (
        "_began",
        "_future",
        "_in_flight",
        "_ttl",
        "error",
        "filled",
        "is_over",
        "retry_count",
        "told",
        "tp",
    )

    def __init__(
        self,
        batch: OpenBatch,
        place: TopicPartition,
        told: Told,
        in_flight: "set[WaitingBatch]",
        ttl: float,
    ) -> None:
        self._in_flight = in_flight  # Those whose requests are: it leaves them when it ends.
        self._ttl = ttl
        self._began = time.monotonic()
        self._future: asyncio.Future[None] | None = None
        self.filled = batch
        self.tp = place
        self.told = told
        self.retry_count = 0
        self.is_over = False
        self.error: BaseException | None = None

    def stored(self) -> None:
        """Kafka has it: `told` is called at once."""
        if not self.is_over:
            self._over(None)
            self._tell()

    def done(self, *_: object) -> None:
        """aiokafka's sender says that it is stored: `told` is called a step of the loop later."""
        self.failure(None)

    def failure(self, exception: BaseException | None) -> None:
        """The same of one that failed: what `told` does may concern the others that fail now."""
        if not self.is_over:
            self._over(exception)
            asyncio.get_running_loop().call_soon(self._tell)

    def _over(self, error: BaseException | None) -> None:
        self.is_over = True
        self.error = error
        if self._future is not None:
            self._future.set_result(None)

    def _tell(self) -> None:
        self._in_flight.discard(self)
        self.told(self.error)

    @property
    def future(self) -> "asyncio.Future[None]":
        """Of its end, for the few that await it."""
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
            if self.is_over:
                self._future.set_result(None)
        return self._future

    def get_data_buffer(self) -> bytearray:
        return self.filled.data()

    def is_empty(self) -> bool:
        return False

    def remaining_linger(self) -> None:
        """It does not wait for more records."""

    def expired(self) -> bool:
        """Whether it waited too long for a leader."""
        return time.monotonic() - self._began > self._ttl

    def reset_drain(self) -> None:
        """Nobody waits until it is taken."""


class WaitingBatches(MessageAccumulator):  # type: ignore[misc]  # aiokafka has no types.
    """aiokafka's queue of batches. It wakes our sender, and that wakes aiokafka's, if needed."""

    wake: Callable[[], None]

    @property
    def has_ended(self) -> bool:
        return self._closed or self._exception is not None

    def add(self, batch: OpenBatch, place: TopicPartition, told: Told) -> WaitingBatch:
        waiting = WaitingBatch(batch, place, told, self._pending_batches, self._batch_ttl)
        self._batches[place].append(waiting)
        self.wake()
        return waiting

    def _pop_batch(self, tp: TopicPartition) -> WaitingBatch:
        waiting = self._batches[tp]
        batch: WaitingBatch = waiting.popleft()
        if not waiting:
            del self._batches[tp]
        if not batch.retry_count:  # Sent again, it has the same number: Kafka may have it already.
            batch.filled.number(self._txn_manager.producer_id)
        batch.retry_count += 1
        self._pending_batches.add(batch)
        return batch
