"""A producer that is kept connected: another one is started whenever it ends for good."""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.codec import lz4_encode
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from producing.lanes import NotStored
from producing.outage import Outage
from producing.sizes import BATCH_BYTES, RECORD_BYTES, Sizes
from schemas.config import Kafka
from schemas.records import TopicPartition

CODECS = {  # Kafka's numbers.
    "none": 0,
    "gzip": 1,
    "snappy": 2,
    "lz4": 3,
    "zstd": 4,
}
RECONNECT_SECONDS = 0.5
STOP_SECONDS = 1.0
SIZES_SECONDS = 60.0
ANSWER_SECONDS = 5.0
LIMIT = "max.message.bytes"
TOPIC = 2  # Kafka's number for a topic's configuration.

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
        self.is_made = asyncio.Event()  # Once; it may have been lost since.

    def producer(self) -> Any:  # noqa: ANN401  aiokafka has no types.
        """The current one; `NotStored` while there is none."""
        if self._producer is None:
            raise NotStored("Kafka is not reachable")
        return self._producer

    def replace(self) -> None:
        """Start another producer, with another producer id."""
        if self._producer is not None:
            self._producer._sender.sender_task.cancel()  # noqa: SLF001  As its own end would.

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])

    async def leaderless(self) -> TopicPartition | None:
        """A partition of the topics that has no leader, asking Kafka anew."""
        producer = self.producer()
        for topic in self._topics:
            await producer.partitions_for(topic)
        await producer.client.force_metadata_update()
        cluster = producer.client.cluster
        for topic in self._topics:
            for number in cluster.partitions_for_topic(topic) or (-1,):  # None: it was deleted.
                place = TopicPartition(topic, number)
                if cluster.leader_for_partition(place) in (None, -1):
                    return place
        return None

    async def _keep(self) -> None:
        while True:
            producer = _producer(self._kafka)
            try:
                await producer.start()
                await self._ask_sizes(producer)
                self._producer = producer
                self.is_made.set()
                self._outage.stored(None)
                await self._until_it_ends(producer)
            except (KafkaError, OSError) as error:
                self._outage.failed(None, error)
            finally:
                self._producer = None
                with contextlib.suppress(KafkaError, OSError, TimeoutError):
                    await asyncio.wait_for(producer.stop(), STOP_SECONDS)
                # Nobody sends what it still holds, and who waits for it has to know.
                producer._message_accumulator.fail_all(KafkaError("the producer ended"))  # noqa: SLF001
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _until_it_ends(self, producer: Any) -> None:  # noqa: ANN401  aiokafka has no types.
        ends: asyncio.Task[None] = producer._sender.sender_task  # noqa: SLF001  It ends when it cannot go on.
        while not ends.done():
            await asyncio.wait([ends], timeout=SIZES_SECONDS)
            if not ends.done():
                await self._ask_sizes(producer)

    async def _ask_sizes(self, producer: Any) -> None:  # noqa: ANN401  aiokafka has no types.
        """Learn what batches the topics take; it may be that we must not know."""
        asked = [(TOPIC, topic, [LIMIT]) for topic in self._topics]
        client, answers = producer.client, []
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                request = DescribeConfigsRequest(resources=asked, include_synonyms=False)
                answers = (await client.send(client.get_random_node(), request)).resources
        except (KafkaError, OSError, TimeoutError):
            pass  # It is asked again; until then refusals teach it.
        known = {name: entries for code, _, _, name, entries in answers if code == 0}
        for topic in self._topics:
            limits = [int(entry[1]) for entry in known.get(topic, ()) if entry[0] == LIMIT]
            if limits:
                self._sizes.told(topic, limits[0])
            else:
                self._sizes.untold(topic)


def _producer(kafka: Kafka) -> Any:  # noqa: ANN401  aiokafka has no types.
    password = kafka.sasl_plain_password
    options: dict[str, Any] = {}
    if kafka.security_protocol in ("SSL", "SASL_SSL"):
        options["ssl_context"] = kafka.ssl_context()
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
        max_batch_size=BATCH_BYTES,
        max_request_size=RECORD_BYTES,
        **options,
    )
