"""Whose `CancelledError` is it: somebody cancelled this task, or a library let its own escape.

A task group takes the second for the first, and a task that ends so is missed by nobody.
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
