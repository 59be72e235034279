"""Appending to Kafka: returns once Kafka has acknowledged, or raises `NotStored`.

Requests share one batch a partition: while a batch is on its way the next one fills.
"""

import asyncio
import contextlib
import itertools
import logging
import ssl
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.codec import lz4_encode
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from gateway.lanes import Lane, NotStored, TooLargeForKafka
from gateway.partitioner import positive_hash
from schemas.config import Kafka
from schemas.records import NewRecord

MAX_REQUEST_BYTES = 21_000_000
MAX_BATCH_BYTES = 900_000  # Below the 1 MB that Kafka's brokers accept by default.
KNOWN_KEYS_MAX = 50_000
PARTITIONS_FRESH_SECONDS = 10.0
PROBE_SECONDS = 2.0
PROBE_FRESH_SECONDS = 1.0
RECONNECT_SECONDS = 0.5
STOP_SECONDS = 1.0
DRAIN_SECONDS = 1.0

__all__ = ["Log", "NotStored", "TooLargeForKafka"]
# aiokafka compresses at level 9 and has no option for it. Level 1 takes a third of the time (1 µs
# an event less) for 10 % more bytes.
sys.modules[DefaultRecordBatchBuilder.__module__].lz4_encode = partial(lz4_encode, level=1)  # type: ignore[attr-defined]  # The name that `build` looks up.
_logger = logging.getLogger("ampgate.edge")


class Log:
    """The edge's way into Kafka."""

    def __init__(self, kafka: Kafka, ack_timeout_seconds: float) -> None:
        self._kafka = kafka
        self._ack_timeout_seconds = ack_timeout_seconds
        self._producer: Any = None
        self._keeper: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._partitions: dict[str, tuple[float, int]] = {}
        self._hashes: dict[bytes, int] = {}
        self._round = itertools.count()
        self._probing: asyncio.Task[bool] | None = None
        self._probed = (float("-inf"), False)

    def _current_producer(self) -> Any:  # noqa: ANN401  aiokafka has no types.
        if self._producer is None:
            raise NotStored("Kafka is not reachable")
        return self._producer

    async def start(self) -> None:
        """Begin to connect; waits a moment for it, but Kafka may also come later."""
        self._keeper = asyncio.create_task(self._keep_connected())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._connected.wait(), self._ack_timeout_seconds)

    async def stop(self) -> None:
        """Give what is on its way a moment; whoever waited for more has been answered by now."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                for lane in self._lanes.values():
                    await lane.drain()
        for task in (self._keeper, self._probing):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    async def append(self, topic: str, records: Sequence[NewRecord]) -> None:
        """Store the records, in order for each key; returns when Kafka has them all."""
        fresh_until, count = self._partitions.get(topic, (0.0, 0))
        if fresh_until < time.monotonic():
            count = await self._count_partitions(topic)
        now_ms = time.time_ns() // 1_000_000
        waits: set[asyncio.Future[None]] = set()
        for partition, share in self._by_partition(records, count).items():
            lane = self._lanes.get((topic, partition))
            if lane is None:
                lane = self._lanes[topic, partition] = Lane(
                    self._current_producer, self._ack_timeout_seconds, topic, partition
                )
            waits |= lane.add(share, now_ms)
        # Shielded, since a batch is shared: a request that goes away must not take it along.
        if len(waits) == 1:
            await asyncio.shield(waits.pop())
        elif waits:
            await asyncio.wait(waits)
            for stored in waits:
                stored.result()

    async def probe(self) -> bool:
        """Whether Kafka takes a write right now: one is really done, at most once a second."""
        at, answer = self._probed
        if time.monotonic() - at < PROBE_FRESH_SECONDS:
            return answer
        if self._probing is None or self._probing.done():
            self._probing = asyncio.create_task(self._probe())
        return await asyncio.shield(self._probing)

    async def _probe(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self.append(self._kafka.topics.probe, [NewRecord(None, b"{}")])
            answer = True
        except (NotStored, TimeoutError):
            answer = False
        self._probed = (time.monotonic(), answer)
        return answer

    def _by_partition(
        self, records: Sequence[NewRecord], count: int
    ) -> Mapping[int, Sequence[NewRecord]]:
        if len(records) == 1:
            return {self._partition(records[0].key, count): records}
        shares: dict[int, list[NewRecord]] = {}
        hashes = self._hashes
        for record in records:
            key = record.key
            hashed = None if key is None else hashes.get(key)
            partition = self._partition(key, count) if hashed is None else hashed % count
            share = shares.get(partition)
            if share is None:
                shares[partition] = [record]
            else:
                share.append(record)
        return shares

    def _partition(self, key: bytes | None, count: int) -> int:
        if key is None:
            return next(self._round) % count
        hashed = self._hashes.get(key)
        if hashed is None:
            if len(self._hashes) >= KNOWN_KEYS_MAX:
                self._hashes.clear()
            hashed = self._hashes[key] = positive_hash(key)
        return hashed % count

    async def _count_partitions(self, topic: str) -> int:
        try:
            async with asyncio.timeout(self._ack_timeout_seconds):
                count = len(await self._current_producer().partitions_for(topic))
        except (KafkaError, OSError, TimeoutError) as error:
            raise NotStored(f"{topic}: {error!r}") from error
        if not count:
            raise NotStored(f"{topic}: there is no such topic")
        self._partitions[topic] = (time.monotonic() + PARTITIONS_FRESH_SECONDS, count)
        return count

    async def _keep_connected(self) -> None:
        """Start a producer, and another one whenever it ends for good."""
        said = False
        while True:
            producer = _producer(self._kafka)
            try:
                await producer.start()
                self._producer, said = producer, False
                self._connected.set()
                await asyncio.wait([producer._sender.sender_task])  # noqa: SLF001  Ends when it cannot go on.
            except (KafkaError, OSError) as error:
                if not said:
                    _logger.warning("Kafka is not reachable: %s", error)
                said = True
            finally:
                self._producer = None
                with contextlib.suppress(KafkaError, OSError, TimeoutError):
                    await asyncio.wait_for(producer.stop(), STOP_SECONDS)
            await asyncio.sleep(RECONNECT_SECONDS)


def _producer(kafka: Kafka) -> Any:  # noqa: ANN401  aiokafka has no types.
    password = kafka.sasl_plain_password
    options: dict[str, Any] = {}
    if kafka.security_protocol in ("SSL", "SASL_SSL"):
        context = ssl.create_default_context(cafile=kafka.ssl_cafile)
        if kafka.ssl_certfile is not None:
            context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile)
        options["ssl_context"] = context
    if kafka.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.sasl_plain_username
        options["sasl_plain_password"] = password.get_secret_value() if password else None
    return AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers,
        security_protocol=kafka.security_protocol,
        compression_type=None if kafka.compression == "none" else kafka.compression,
        acks="all",
        enable_idempotence=True,
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=MAX_REQUEST_BYTES,
        **options,
    )
