"""How a client of Kafka starts."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog
from aiokafka.errors import KafkaError

RECONNECT_SECONDS = 1.0
FIRST_ANSWER_SECONDS = 1.0
log = structlog.get_logger()


async def started(client: Any) -> None:  # noqa: ANN401  aiokafka has no types.
    """Start it; retry for as long as Kafka is unavailable: a restart would change nothing."""
    await answered(first_started(lambda: client, _kept))


async def answered(start: Coroutine[Any, Any, Any]) -> None:
    """Await a client's start; at a cancellation it has a moment for the first answer.

    aiokafka never closes a connection that is cancelled before that.
    """
    starting = asyncio.create_task(start)
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting], timeout=FIRST_ANSWER_SECONDS)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)  # Whatever it was: nobody waits.
        raise


async def first_started(
    opened: Callable[[], Any],
    given_up: Callable[[Any], Awaitable[None]],
) -> Any:  # noqa: ANN401  aiokafka has no types.
    """As `started`, of these: a member of a group cannot be started twice."""
    failures = Failures()
    while True:
        client = opened()
        try:
            await client.start()
            return client
        except (KafkaError, OSError) as error:
            failures.tell(error)
        await given_up(client)
        await asyncio.sleep(RECONNECT_SECONDS)


class Failures:
    """Of tries to reach Kafka: each is told unless the one before was the same."""

    def __init__(self) -> None:
        self._told = ""

    def tell(self, error: Exception) -> None:
        if str(error) != self._told:
            log.error("Kafka connection failed, retrying", error=str(error))
        self._told = str(error)


async def _kept(_client: Any) -> None:  # noqa: ANN401  aiokafka has no types.
    pass
