"""Waiting: for how long at most, and for what no event tells but another process's state."""

import asyncio
import reprlib
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

PAUSE_SECONDS = 0.02
PAUSE_MAX_SECONDS = 0.5
LOOKING_SHARE = 5  # A look that costs much keeps what it waits for from the processor.
# It ends a hang, and nothing else: with other work on the machine all takes as long as it takes.
DEADLINE_SECONDS = 300.0
Seen = TypeVar("Seen")


async def seen(
    look: Callable[[], Awaitable[Seen]],
    holds: Callable[[Seen], object],
    within_seconds: float = DEADLINE_SECONDS,
) -> Seen:
    """What a look shows, as soon as it holds; a failure says what the last one showed."""
    last: object = "nothing: the first look has not ended"
    try:
        async with asyncio.timeout(within_seconds):
            while True:
                began = time.perf_counter()
                if holds(found := await look()):
                    return found
                last = found
                took = time.perf_counter() - began
                await asyncio.sleep(
                    min(max(PAUSE_SECONDS, took * LOOKING_SHARE), PAUSE_MAX_SECONDS)
                )
    except TimeoutError:
        raise AssertionError(
            f"not within {within_seconds:g} s; the last look showed {reprlib.repr(last)}"
        ) from None


async def eventually(holds: Callable[[], bool], within_seconds: float = DEADLINE_SECONDS) -> None:
    """Return once it holds."""

    async def look() -> bool:
        return holds()

    await seen(look, bool, within_seconds)
