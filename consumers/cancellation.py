"""Tell a `CancelledError` of this task from one that a library let escape.

A task group takes the second for the first: the task would end without an error.
"""

import asyncio
from collections.abc import Awaitable, Callable


def is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Do it; a `CancelledError` that nobody asked for is a failure like any other."""
    try:
        await work()
    except asyncio.CancelledError:
        if is_cancelled():
            raise
        raise RuntimeError("a library cancelled what it was asked to do") from None
