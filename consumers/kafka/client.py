"""Arguments of all Kafka clients, and how a client starts."""

import asyncio
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from schemas.configuration.config import Kafka

RECONNECT_SECONDS = 1.0
log = structlog.get_logger()


def client_arguments(kafka: Kafka) -> dict[str, Any]:
    """The arguments of every client of the same Kafka."""
    return kafka.client_arguments()


async def started(client: Any) -> None:  # noqa: ANN401  aiokafka has no types.
    """Start it; retry for as long as Kafka is unavailable: a restart would change nothing."""
    said = ""
    while True:
        try:
            await client.start()
            return
        except (KafkaError, OSError) as error:
            if str(error) != said:
                log.error("Kafka connection failed, retrying", error=str(error))
            said = str(error)
        await asyncio.sleep(RECONNECT_SECONDS)
