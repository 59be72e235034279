"""A member of a consumer group: how it is made, and which topics there are for it."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from consumers.kafka.assignor import SisterAssignor
from schemas.configuration.config import Kafka
from schemas.kafka.client import started
from schemas.kafka.fetching.fetch import Consumer
from schemas.kafka.login import client_arguments

METADATA_SECONDS = 10.0  # Added partitions are noticed after so long.
LOOK_SECONDS = 30.0  # Between looks for a topic that was not there.
REBALANCE_SECONDS = 45.0  # A heartbeat, the longest request, and a commit.


def new_consumer(kafka: Kafka, group_id: str) -> Consumer:
    return Consumer(
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


async def topics_of(kafka: Kafka) -> Collection[str]:
    """Those that Kafka has and lets us see."""
    client = AIOKafkaAdminClient(**client_arguments(kafka))
    try:
        await started(client)  # It may be cancelled: a worker that is told to stop does not wait.
        topics: Collection[str] = await client.list_topics()
        return topics
    finally:
        await client.close()


async def until_seen(kafka: Kafka, topic: str) -> None:
    """Returns once Kafka has this topic and lets us see it."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        with suppress(KafkaError, OSError):
            if topic in await topics_of(kafka):
                return
