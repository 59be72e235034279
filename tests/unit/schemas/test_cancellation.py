"""Work that is given up once an event is set."""

import asyncio
import inspect

from schemas.cancellation import unless


async def test_work_that_is_given_up_before_it_began_is_closed() -> None:
    """Else Python warns of it, as on the terminal of an edge that is stopped while it starts."""
    ending = asyncio.Event()
    ending.set()
    begun: list[str] = []

    async def work(name: str) -> None:
        begun.append(name)
        await asyncio.Event().wait()

    works = work("one"), work("other")
    await unless(ending, *works)

    assert begun == []
    assert [inspect.getcoroutinestate(one) for one in works] == [inspect.CORO_CLOSED] * 2


async def test_work_that_ends_by_itself_is_awaited() -> None:
    ended: list[str] = []

    async def work(name: str) -> None:
        await asyncio.sleep(0)
        ended.append(name)

    await unless(asyncio.Event(), work("one"), work("other"))

    assert ended == ["one", "other"]
