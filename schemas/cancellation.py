"""Tell a `CancelledError` of this task from one that a library raised by mistake; or let it wait.

A task group cannot tell them apart: the task would end without an error.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

Result = TypeVar("Result")


def is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def heeding(work: Awaitable[Result]) -> Result:
    """Await it; a `CancelledError` for this task that it kept to itself is raised after it.

    aiokafka's `stop` does: it cancels tasks of its own, and suppresses what awaiting them raises.
    """
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    result = await work
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return result


async def unless(ending: asyncio.Event, *works: Coroutine[Any, Any, None]) -> None:
    """Await them all, and give them up once the event is set."""

    async def ended() -> None:
        await ending.wait()
        working.cancel()

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(ended())
        working = tasks.create_task(_all(works))
        await asyncio.wait([working])
        watching.cancel()
    for work in works:  # Of one that was given up before it began, Python would warn.
        work.close()


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for work in works:
            tasks.create_task(work)


async def lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Await it; a `CancelledError` that nobody asked for becomes a `RuntimeError`."""
    try:
        await work()
    except asyncio.CancelledError:
        if is_cancelled():
            raise
        raise RuntimeError("a library cancelled what it was asked to do") from None


async def whole(
    work: Coroutine[Any, Any, Result],
    hurry: Callable[[], None] | None = None,
    every_seconds: float | None = None,
) -> Result:
    """Await it to its end, also where this task is cancelled meanwhile.

    Then `hurry` is called again and again until it has ended.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            if hurry is not None:
                hurry()
            await asyncio.wait([task], timeout=every_seconds)
        if not task.cancelled():
            task.exception()  # Else asyncio logs that nobody has looked at it.
        raise
