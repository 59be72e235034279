"""Tell a `CancelledError` of this task from one that a library raised by mistake; or let it wait.

A task group cannot tell them apart: the task would end without an error.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Await it; a `CancelledError` that nobody asked for becomes a `RuntimeError`."""
    try:
        await work()
    except asyncio.CancelledError:
        if is_cancelled():
            raise
        raise RuntimeError("a library cancelled what it was asked to do") from None


async def whole(work: Coroutine[Any, Any, Result]) -> Result:
    """Await it to its end, also where this task is cancelled meanwhile."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # Nobody asks for it any more.
        raise
