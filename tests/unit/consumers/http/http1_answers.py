"""What tests of our own client send and get."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from consumers.delivery.destination import Reply
from tests.eventually import DEADLINE_SECONDS
from tests.unit.consumers.http.http1_ends import TIMEOUT_SECONDS, Ends, Say

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def run(loop_factory: LoopFactory, scenario: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            await scenario

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(limited())


def replies(
    loop_factory: LoopFactory, *lines: Say, sends: int, timeout_seconds: float = TIMEOUT_SECONDS
) -> tuple[list[Reply], int]:
    """What one request after the other was answered, and over how many connections.

    The timeout is the first one's: only that may stay without an answer.
    """
    found: list[Reply] = []
    connections = 0

    async def scenario() -> None:
        nonlocal connections
        async with Ends(*lines, timeout_seconds=timeout_seconds) as ends:
            for _ in range(sends):
                found.append(await ends.send())
                ends.client._timeout_seconds = TIMEOUT_SECONDS
            connections = ends.far.connections

    run(loop_factory, scenario())
    return found, connections
