"""A worker that fails starts again by itself, and whoever stops it need not wait for that."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY

from consumers.supervision import Supervised
from tests.eventually import DEADLINE_SECONDS, eventually

Life = Callable[[asyncio.Event], Awaitable[None]]


class RustPanic(BaseException):
    """Not an `Exception`."""


class Works:
    """A worker whose lives are given; the last one runs until it is told to stop."""

    paused = None
    is_stuck = False
    is_reached = True
    missing = None

    def __init__(self, *lives: Life) -> None:
        self._lives = [*lives, stopping]
        self._told = asyncio.Event()
        self.begun = 0
        self.closed = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Works"]:
        self._told.clear()
        self.begun += 1
        try:
            yield self
        finally:
            self.closed += 1

    async def run(self) -> None:
        await self._lives[self.begun - 1](self._told)

    def stop(self) -> None:
        self._told.set()


async def stopping(told: asyncio.Event) -> None:
    await told.wait()


def raising(error: BaseException) -> Life:
    async def life(_: asyncio.Event) -> None:
        raise error

    return life


async def ending(_: asyncio.Event) -> None:
    pass


def restarts(destination: str) -> float:
    labels = {"destination": destination}
    return REGISTRY.get_sample_value("ampgate_delivery_restarts_total", labels) or 0.0


@pytest.mark.parametrize(
    "life",
    [
        *(raising(AssertionError("ours")), raising(RustPanic()), ending),
        *(raising(asyncio.CancelledError()), raising(BaseExceptionGroup("", [RustPanic()]))),
    ],
)
async def test_a_worker_that_fails_starts_again_and_is_counted(life: Life) -> None:
    works = Works(life, life)
    supervised = Supervised("a/events", "counted", works.opened, backoff=lambda _: 0.0)
    before = restarts("counted")

    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(supervised.run())
        await eventually(lambda: works.begun == 3)
        supervised.stop()
    assert restarts("counted") - before == 2
    assert works.closed == 3


async def test_a_worker_in_backoff_stops_at_once_and_is_neither_stuck_nor_running() -> None:
    works = Works(raising(ValueError()))
    supervised = Supervised("a/events", "backoff", works.opened, backoff=lambda _: 3600.0)

    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(supervised.run())
        await eventually(lambda: works.closed == 1)
        assert not supervised.is_running
        assert not supervised.is_stuck
        supervised.stop()
    assert works.begun == 1


async def test_who_was_told_to_stop_leaves_and_does_not_wait_to_start_again() -> None:
    works = Works()
    supervised = Supervised("a/events", "leaving", works.opened)

    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(supervised.run())
        await eventually(lambda: supervised.is_running)
        assert not supervised.is_leaving
        supervised.stop()
        assert supervised.is_leaving


async def test_who_is_cancelled_does_not_start_again() -> None:
    works = Works()
    supervised = Supervised("a/events", "cancelled", works.opened, backoff=lambda _: 0.0)
    running = asyncio.create_task(supervised.run())
    await eventually(lambda: supervised.is_running)

    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert (works.begun, works.closed) == (1, 1)


@pytest.mark.parametrize(
    "error", [OSError("closing"), RustPanic(), BaseExceptionGroup("", [OSError()])]
)
async def test_an_error_of_a_worker_that_is_cancelled_ends_no_other(error: BaseException) -> None:
    """As at a reload, where the former worker did not drain in time."""

    async def life(told: asyncio.Event) -> None:
        try:
            await told.wait()
        finally:
            raise error

    cancelled, other = Works(life), Works()
    leaving = Supervised("a/events", "leaving", cancelled.opened)
    staying = Supervised("b/events", "staying", other.opened)
    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(staying.run())
        running = tasks.create_task(leaving.run())
        await eventually(lambda: leaving.is_running and staying.is_running)
        running.cancel()
        await asyncio.wait([running])
        assert staying.is_running
        staying.stop()
    assert running.cancelled()
    assert (cancelled.begun, cancelled.closed, other.begun) == (1, 1, 1)


async def test_each_failure_in_a_row_waits_longer() -> None:
    works = Works(*[raising(ValueError())] * 4)
    asked: list[int] = []

    def backoff(failures: int) -> float:
        asked.append(failures)
        return 0.0

    supervised = Supervised("a/events", "longer", works.opened, backoff)
    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(supervised.run())
        await eventually(lambda: works.begun == 5)
        supervised.stop()
    assert asked == [1, 2, 3, 4]
