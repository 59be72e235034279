"""Waiting for what no event tells: another process's state can only be asked for."""

import asyncio
import reprlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

PAUSE_SECONDS = 0.02
WITHIN_SECONDS = 60.0
Seen = TypeVar("Seen")


async def seen(
    look: Callable[[], Awaitable[Seen]],
    holds: Callable[[Seen], object],
    within_seconds: float = WITHIN_SECONDS,
) -> Seen:
    """What a look shows, as soon as it holds; a failure says what the last one showed."""
    last: object = "nothing: the first look has not ended"
    try:
        async with asyncio.timeout(within_seconds):
            while not holds(found := await look()):
                last = found
                await asyncio.sleep(PAUSE_SECONDS)
            return found
    except TimeoutError:
        raise AssertionError(
            f"not within {within_seconds:g} s; the last look showed {reprlib.repr(last)}"
        ) from None


async def eventually(holds: Callable[[], bool], within_seconds: float = WITHIN_SECONDS) -> None:
    """Return once it holds."""

    async def look() -> bool:
        return holds()

    await seen(look, bool, within_seconds)
