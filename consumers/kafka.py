"""The only file of delivery that knows aiokafka: reading, committing, dead letters."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
)
from aiokafka import (
    TopicPartition as KafkaPartition,
)
from aiokafka.errors import CommitFailedError, KafkaError

from consumers.delivery.lanes import DeadLetter
from schemas.config import Kafka
from schemas.records import Record, TopicPartition

DETAIL_BYTES_MAX = 1000
RECORD_BYTES_MAX = 21_000_000  # The largest event Amplitude takes is 20 MB.
POLL_MILLISECONDS = 200
log = structlog.get_logger()


def client_arguments(kafka: Kafka) -> dict[str, Any]:
    """What every client of the same Kafka is given."""
    password = kafka.sasl_plain_password
    return {
        "bootstrap_servers": kafka.bootstrap_servers,
        "security_protocol": kafka.security_protocol,
        "sasl_mechanism": kafka.sasl_mechanism,
        "sasl_plain_username": kafka.sasl_plain_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "ssl_context": ssl_context(kafka) if "SSL" in kafka.security_protocol else None,
    }


def ssl_context(kafka: Kafka) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=kafka.ssl_cafile)
    if kafka.ssl_certfile is not None:
        context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile)
    return context


class Reader(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types.
    """One consumer group's view of one topic."""

    def __init__(
        self,
        kafka: Kafka,
        topic: str,
        group_id: str,
        on_revoked: Callable[[Collection[TopicPartition]], Awaitable[None]],
    ) -> None:
        self._topic = topic
        self._on_revoked = on_revoked
        self._consumer = AIOKafkaConsumer(
            **client_arguments(kafka),
            group_id=group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_bytes=8_000_000,
            max_partition_fetch_bytes=1_000_000,
        )

    async def start(self) -> None:
        self._consumer.subscribe([self._topic], listener=self)
        await self._consumer.start()

    async def stop(self) -> None:
        await self._consumer.stop()

    async def read(
        self, *, full: Collection[TopicPartition] | None, records_max: int
    ) -> list[Sequence[Record]]:
        """What has come, by partition, but of those that are `full`; `None` means all are.

        Then it reads nothing, but stays in the group.
        """
        assigned = self._consumer.assignment()
        wanted = assigned if full is None else {KafkaPartition(*place) for place in full}
        paused = self._consumer.paused()
        if stopping := (wanted & assigned) - paused:
            self._consumer.pause(*stopping)
        if going_on := paused - wanted:
            self._consumer.resume(*going_on)
        fetched = await self._consumer.getmany(
            timeout_ms=POLL_MILLISECONDS, max_records=records_max
        )
        return list(fetched.values())

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit those of our partitions; what fails is committed the next time."""
        assigned = self._consumer.assignment()
        ours = {
            KafkaPartition(*place): offset
            for place, offset in offsets.items()
            if KafkaPartition(*place) in assigned
        }
        if not ours:
            return
        try:
            await self._consumer.commit(ours)
        except CommitFailedError:
            log.warning("a rebalance came before a commit; its records will be sent again")
        except KafkaError as error:
            log.warning("offsets could not be committed", error=str(error))

    def lag(self, committable: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Per partition: the records from the lowest unsettled one to the end."""
        lags: dict[TopicPartition, int] = {}
        for place in self._consumer.assignment():
            end = self._consumer.highwater(place)
            if end is not None:
                here = TopicPartition(place.topic, place.partition)
                lags[here] = max(0, end - committable.get(here, end))
        return lags

    async def on_partitions_revoked(self, revoked: Collection[KafkaPartition]) -> None:
        await self._on_revoked([TopicPartition(p.topic, p.partition) for p in revoked])

    async def on_partitions_assigned(self, assigned: Collection[KafkaPartition]) -> None:
        if assigned:
            numbers = sorted(place.partition for place in assigned)
            log.info("partitions assigned", topic=self._topic, partitions=numbers)


class DeadLetters:
    """Where the original bytes go, untouched, with the reason."""

    def __init__(self, kafka: Kafka) -> None:
        self._topic = kafka.topics.dead_letters
        self._producer = AIOKafkaProducer(
            **client_arguments(kafka),
            acks="all",
            enable_idempotence=True,
            compression_type=None if kafka.compression == "none" else kafka.compression,
            max_request_size=RECORD_BYTES_MAX,
        )

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    async def write(self, letter: DeadLetter, destination: str) -> None:
        """Returns only once Kafka has it: until then it is not settled, so it is never given up."""
        wait_seconds = 0.5
        while True:
            try:
                await self._producer.send_and_wait(
                    self._topic,
                    key=letter.record.key,
                    value=letter.record.value,
                    headers=letter_headers(letter, destination),
                )
                return
            except KafkaError as error:
                log.warning("a dead letter could not be written yet", error=str(error))
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(30.0, wait_seconds * 2)


def letter_headers(letter: DeadLetter, destination: str) -> list[tuple[str, bytes]]:
    """The headers of product.md §3, in place of older ones of the same names."""
    record = letter.record
    first_failed = datetime.fromtimestamp(letter.first_failed_at, UTC).isoformat()
    added = {
        "destination": destination,
        "reason": letter.reason,
        "detail": letter.detail,
        "origin": f"{record.topic}/{record.partition}/{record.offset}",
        "attempts": str(letter.attempts),
        "first_failed_at": first_failed.replace("+00:00", "Z"),
    }
    if letter.status is not None:
        added["status"] = str(letter.status)
    kept = [(name, value) for name, value in record.headers if name not in added]
    cut = [(name, text.encode()[:DETAIL_BYTES_MAX]) for name, text in added.items()]
    return kept + cut
