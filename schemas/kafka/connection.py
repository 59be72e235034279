"""Keeps a producer connected: when one has failed for good, another is started."""

import asyncio
import contextlib
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.codec import lz4_encode
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas.cancellation import is_cancelled
from schemas.configuration.config import Kafka
from schemas.kafka.batches import NotStored
from schemas.kafka.client import answered
from schemas.kafka.compression import CODECS
from schemas.kafka.login import client_arguments
from schemas.kafka.outage import Outage
from schemas.kafka.sender import QuickSender
from schemas.kafka.sizes import BATCH_BYTES, RECORD_BYTES, Sizes
from schemas.kafka.waiting_batches import WaitingBatches
from schemas.records import TopicPartition

RECONNECT_SECONDS = 0.5
STOP_SECONDS = 1.0
SIZES_SECONDS = 60.0
LEADERS_SECONDS = 1.0
METADATA_AGE_SECONDS = 10.0  # A broker that hangs has no leader's part any more after so long.
ANSWER_SECONDS = 5.0
LIMIT = "max.message.bytes"
TOPIC = 2  # Kafka's number for a topic's configuration.

log = structlog.get_logger()
# aiokafka compresses at level 9 and has no option for it. Level 1 takes a third of the time (1 µs
# an event less) for 10 % more bytes.
sys.modules[DefaultRecordBatchBuilder.__module__].lz4_encode = partial(lz4_encode, level=1)  # type: ignore[attr-defined]  # The name that `build` looks up.


class Connection:
    def __init__(self, kafka: Kafka, topics: Sequence[str], sizes: Sizes, outage: Outage) -> None:
        self._kafka = kafka
        self._topics = topics
        self._sizes = sizes
        self._outage = outage
        self._producer: Any = None
        self._keeper: asyncio.Task[None] | None = None
        self.is_made = asyncio.Event()  # Set once; the connection may be lost later.

    def producer(self) -> Any:  # noqa: ANN401  aiokafka has no types.
        """The current producer; raises `NotStored` while there is none."""
        if self._producer is None:
            raise NotStored("Kafka is not reachable")
        return self._producer

    def replace(self) -> None:
        """Start another producer, with a new producer id."""
        if self._producer is not None:
            self._producer._sender.sender_task.cancel()  # noqa: SLF001  Then `_connect` goes on.
            self._producer = None

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])

    async def leaderless(self) -> TopicPartition | None:
        """A partition of the topics without a leader, by new metadata if they come in a moment.

        A broker that is asked may hang; who leads is asked every 10 s anyway.
        """
        producer = self.producer()
        for topic in self._topics:
            await producer.partitions_for(topic)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEADERS_SECONDS):
                await producer.client.force_metadata_update()
        cluster = producer.client.cluster
        for topic in self._topics:
            for number in cluster.partitions_for_topic(topic) or (-1,):  # None: it was deleted.
                place = TopicPartition(topic, number)
                if cluster.leader_for_partition(place) in (None, -1):
                    return place
        return None

    async def _keep(self) -> None:
        while not is_cancelled():  # What aiokafka raises may take the place of a cancellation.
            try:
                await self._connect(_producer(self._kafka))
            except Exception as error:  # noqa: BLE001  Whatever it was, Kafka may come back.
                self._outage.failed(None, repr(error))
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _connect(self, producer: Any) -> None:  # noqa: ANN401  aiokafka has no types.
        """Returns when the producer has ended."""
        try:
            await answered(producer.start())
            await self._ask_sizes(producer)
            self._producer = producer
            self.is_made.set()
            self._outage.stored(None)
            await self._until_it_ends(producer)
        finally:
            self._producer = None
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(producer.stop(), STOP_SECONDS)
            # Its remaining batches are never sent; their writers must fail.
            producer._message_accumulator.fail_all(KafkaError("the producer ended"))  # noqa: SLF001

    async def _until_it_ends(self, producer: Any) -> None:  # noqa: ANN401  aiokafka has no types.
        ends: asyncio.Task[None] = producer._sender.sender_task  # noqa: SLF001  It ends when it cannot go on.
        while not ends.done():
            await asyncio.wait([ends], timeout=SIZES_SECONDS)
            if not ends.done():
                await self._ask_sizes(producer)

    async def _ask_sizes(self, producer: Any) -> None:  # noqa: ANN401  aiokafka has no types.
        """Read the batch limits of the topics."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                limits = await _limits(producer.client, self._topics)
        except Exception as error:  # noqa: BLE001  Then refusals teach it, until it is asked again.
            log.debug("topic limits not known", error=repr(error))
            limits = {}
        for topic in self._topics:
            if topic in limits:
                self._sizes.told(topic, limits[topic])
            else:  # We may not have the permission.
                self._sizes.untold(topic)


async def _limits(client: Any, topics: Sequence[str]) -> Mapping[str, int]:  # noqa: ANN401
    """The limits by topic, as far as we have the permission."""
    asked = [(TOPIC, topic, [LIMIT]) for topic in topics]
    request = DescribeConfigsRequest(resources=asked, include_synonyms=False)
    answer = await client.send(client.get_random_node(), request)
    return {
        name: int(entry[1])
        for code, _, _, name, entries in answer.resources
        if code == 0
        for entry in entries
        if entry[0] == LIMIT
    }


def _producer(kafka: Kafka) -> Any:  # noqa: ANN401  aiokafka has no types.
    producer = AIOKafkaProducer(
        **client_arguments(kafka),
        acks="all",
        enable_idempotence=True,
        metadata_max_age_ms=int(METADATA_AGE_SECONDS * 1000),
        max_batch_size=BATCH_BYTES,
        max_request_size=RECORD_BYTES,
    )
    sender = producer._sender  # noqa: SLF001
    batches = WaitingBatches(
        producer.client.cluster,
        BATCH_BYTES,
        CODECS["none"],  # Each of our batches knows its own.
        sender._request_timeout_ms / 1000,  # noqa: SLF001
        txn_manager=sender._txn_manager,  # noqa: SLF001
    )
    producer._message_accumulator = batches  # noqa: SLF001
    producer._sender = QuickSender(sender, batches)  # noqa: SLF001
    return producer
