"""What every client of the same Kafka is given, and how it starts."""

import asyncio
from typing import Any

import structlog
from aiokafka.errors import KafkaError

from schemas.config import Kafka

RECONNECT_SECONDS = 1.0
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
        "ssl_context": kafka.ssl_context() if "SSL" in kafka.security_protocol else None,
    }


async def started(client: Any) -> None:  # noqa: ANN401  aiokafka has no types.
    """Start it, however long Kafka is away or refuses us: a restart would change nothing."""
    said = ""
    while True:
        try:
            await client.start()
            return
        except (KafkaError, OSError) as error:
            if str(error) != said:
                log.error("Kafka cannot be used, and is tried again", error=str(error))
            said = str(error)
        await asyncio.sleep(RECONNECT_SECONDS)
