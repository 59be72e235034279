"""Stores the records of a request in their topics, and counts them."""

import time
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from gateway.dialects.shapes import NOWHERE, Batch, Context, Endpoint, Places, Rejection
from gateway.dialects.trees import parts_bytes
from gateway.edge.metrics import Metrics
from gateway.edge.planning import held_to_plan
from gateway.edge.rejections import dead_letter, dead_letters
from gateway.edge.scrubbing import Scrubber
from gateway.edge.sources import Sender
from gateway.edge.suppression import is_suppressed
from gateway.edge.turns import Pauses
from schemas.kafka.batches import TooLargeForKafka
from schemas.kafka.flushes import Write
from schemas.records import NewRecord
from schemas.strictness import Defect
from schemas.topics import Kind, Topics

TURN_BYTES = 50_000  # Scrubbed at once, in about 7 ms.
TOO_LARGE = Defect("too_large", "", "Kafka takes none so large")  # As of pulled ones.


class Store(Protocol):
    """Where records go."""

    def append(self, topic: str, records: Sequence[NewRecord]) -> Coroutine[Any, Any, None]:
        """Return once all are stored; else raise `NotStored`.

        `TooLargeForKafka` when one is larger than its topic takes: as a rule before any is stored.
        """

    def begin(self, topic: str, records: Sequence[NewRecord]) -> Write | None:
        """As `append`, of records that can be appended at once; None for others."""

    def fits(self, topic: str, record: NewRecord) -> bool:
        """Whether the topic takes it, as far as its limit is known."""


class Storage:
    def __init__(self, topics: Topics, store: Store, metrics: Metrics) -> None:
        self._topic = {kind: topics.of(kind) for kind in Kind}
        self._dead_letters = topics.dead_letters
        self._store = store
        self._metrics = metrics

    async def store(
        self, endpoint: Endpoint, batch: Batch, context: Context, sender: Sender
    ) -> None:
        """Return once all is stored; rejected ones first, as the answer counts both.

        What the source's plan blocks is moved to the batch's `blocked`.
        """
        kind = endpoint.kind
        if sender.plan is not None:
            await held_to_plan(batch, kind, context, sender, self._metrics)
        if batch.rejected:
            await self._keep(batch.rejected, context, sender, endpoint.places)
        if batch.blocked:  # All of them: the answer does not tell most senders to send them again.
            letters = [dead_letter(one, context.headers, context.now_ms) for one in batch.blocked]
            await self._append_letters(letters, context, sender)
        if not batch.records:
            self.count(endpoint, batch, sender)
            return
        if sender.scrubber is not None:  # Before their size counts: it can grow.
            batch.records = await _scrubbed(batch.records, context, sender.scrubber)
        stored = self._store.append(self._topic[kind], batch.records)
        await self.end(endpoint, batch, context, sender, stored)

    def begin(self, endpoint: Endpoint, batch: Batch, sender: Sender) -> Write | None:
        """Append a batch that is stored as it is, to be counted at its end; None for others."""
        if sender.plan is not None or sender.scrubber is not None:
            return None
        if batch.rejected or not batch.records:
            return None
        try:
            return self._store.begin(self._topic[endpoint.kind], batch.records)
        except TooLargeForKafka:  # Nothing is appended; `store` says what follows.
            return None

    async def end(
        self,
        endpoint: Endpoint,
        batch: Batch,
        context: Context,
        sender: Sender,
        stored: Coroutine[Any, Any, None],
    ) -> None:
        """Return once the records are `stored`, without those that are too large."""
        try:
            await stored
        except TooLargeForKafka:
            if endpoint.is_atomic:
                raise
            await self._store_smaller(endpoint.kind, batch, context, sender)
        self.count(endpoint, batch, sender)

    def count(self, endpoint: Endpoint, batch: Batch, sender: Sender) -> None:
        """Of a batch that is stored."""
        kind = endpoint.kind
        if batch.records:
            self._metrics.records(sender.name, kind, "accepted", len(batch.records))
        if rejected := len(batch.rejected) + len(batch.blocked):
            self._metrics.records(sender.name, kind, "rejected", rejected)

    async def _store_smaller(
        self, kind: Kind, batch: Batch, context: Context, sender: Sender
    ) -> None:
        """Reject what is larger than its topic takes, and store the others.

        If Kafka had not told its limit, some are stored already; their insert_id is the same.
        """
        topic, kept, large = self._topic[kind], Batch(), []
        for position, record in enumerate(batch.records):
            receipt = batch.receipt_of(position)
            if self._store.fits(topic, record):
                kept.records.append(record)
                kept.receipts.append(receipt)
            else:
                large.append(Rejection(receipt[0], TOO_LARGE, record.value, record.key))
        batch.records, batch.receipts = kept.records, kept.receipts
        batch.rejected = sorted([*batch.rejected, *large], key=lambda one: one.index)
        await self._keep(large, context, sender)
        if batch.records:
            await self._store.append(topic, batch.records)

    async def _keep(
        self,
        rejected: Sequence[Rejection],
        context: Context,
        sender: Sender,
        places: Places = NOWHERE,
    ) -> None:
        """As dead letters; those that are too many are only counted."""
        letters = dead_letters(rejected, context, sender.rejections, time.monotonic())
        if letters:
            await self._append_letters(letters, context, sender, places)
        suppressed = sum(map(is_suppressed, rejected))
        if dropped := len(rejected) - suppressed - len(letters):
            self._metrics.dead_letters_dropped(sender.name, dropped)

    async def _append_letters(
        self,
        letters: list[NewRecord],
        context: Context,
        sender: Sender,
        places: Places = NOWHERE,
    ) -> None:
        if sender.scrubber is not None:
            letters = await _scrubbed(letters, context, sender.scrubber, places)
        await self._store.append(self._dead_letters, letters)


async def _scrubbed(
    records: Sequence[NewRecord], context: Context, scrubber: Scrubber, places: Places = NOWHERE
) -> list[NewRecord]:
    kept, pauses = [], Pauses(TURN_BYTES)
    for record in records:
        await pauses.before(record.value)
        if memory := parts_bytes(record.value):
            with context.room.lend(memory):  # It is taken apart, and put together again.
                value = scrubber.scrubbed(record.value, places)
        else:
            value = scrubber.scrubbed(record.value, places)
        kept.append(NewRecord(record.key, value, record.headers))
    return kept
