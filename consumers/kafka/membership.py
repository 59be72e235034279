"""A member of a consumer group: how it is made, and which topics there are for it."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from consumers.kafka.assignor import SisterAssignor
from schemas.cancellation import heeding
from schemas.configuration.config import Kafka
from schemas.kafka.client import RECONNECT_SECONDS, Failures, started
from schemas.kafka.fetching.batches import MayHave
from schemas.kafka.fetching.fetch import Consumer
from schemas.kafka.login import client_arguments

METADATA_SECONDS = 10.0  # Added partitions are noticed after so long.
LOOK_SECONDS = 30.0  # Between looks for a topic that was not there,
HIDDEN_SECONDS = 3.0  # and for one that may not be seen.
REBALANCE_SECONDS = 45.0  # A heartbeat, the longest request, and a commit.
log = structlog.get_logger()


def new_consumer(
    kafka: Kafka, group_id: str, may_have: Mapping[str, MayHave] | None = None
) -> Consumer:
    return Consumer(
        may_have,
        **client_arguments(kafka),
        group_id=group_id,
        enable_auto_commit=False,
        auto_offset_reset="none",  # Lost records are counted.
        isolation_level="read_committed",
        partition_assignment_strategy=(SisterAssignor,),
        metadata_max_age_ms=int(METADATA_SECONDS * 1000),
        fetch_max_bytes=8_000_000,
        max_partition_fetch_bytes=1_000_000,
        rebalance_timeout_ms=int(REBALANCE_SECONDS * 1000),
    )


async def are_there(kafka: Kafka, topics: Sequence[str]) -> list[bool | None]:
    """Whether Kafka has each of these; None of one that it does not let us see."""
    consumer = Consumer(**client_arguments(kafka))
    try:
        await started(consumer)  # It may be cancelled: a worker that is told to stop does not wait.
        return [await _is_there(consumer, topic) for topic in topics]
    finally:
        await heeding(consumer.stop())


async def _is_there(consumer: Consumer, topic: str) -> bool | None:
    try:
        return await consumer.partitions_of(topic) > 0
    except TopicAuthorizationFailedError:
        return None


async def topics_for(kafka: Kafka, topic: str) -> tuple[bool, bool]:
    """Whether Kafka has this topic, and one for parked records: that it may not hide.

    Of what may be parked there, later records of the same keys must not be read before.
    """
    parked, failures, is_told = kafka.topics.parked, Failures(), False
    while True:
        try:
            is_there, can_park = await are_there(kafka, [topic, parked])
        except (KafkaError, OSError) as error:  # As of a broker that has just gone.
            failures.tell(error)
            await asyncio.sleep(RECONNECT_SECONDS)
            continue
        if can_park is not None:
            return bool(is_there), can_park
        if not is_told:
            log.error("parked topic may not be seen, nothing is read until it may", topic=parked)
        is_told = True
        await asyncio.sleep(HIDDEN_SECONDS)


async def until_seen(kafka: Kafka, topic: str) -> None:
    """Returns once Kafka has this topic and lets us see it."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        with suppress(KafkaError, OSError):
            if await are_there(kafka, [topic]) == [True]:
                return
