"""Searches are few at once, end in time, and are cancelled with their page."""

import asyncio

import pytest

from ampgate.console.access import Access, Role, Session
from ampgate.console.searches import PER_MINUTE, Searches, TooManySearchesError
from ampgate.errors import CommandError

ACCESS = Access("a", "b")


def session() -> Session:
    found = ACCESS.session(ACCESS.new_session(Role.VIEWER, 0.0), 1.0)
    assert found is not None
    return found


async def forever() -> None:
    await asyncio.Event().wait()


def test_a_session_has_so_many_searches_in_a_minute() -> None:
    now = [0.0]
    searches, one, other = Searches(clock=lambda: now[0]), session(), session()
    for _ in range(PER_MINUTE):
        searches.admit(one)

    with pytest.raises(TooManySearchesError):
        searches.admit(one)
    searches.admit(other)
    now[0] = 60.0
    searches.admit(one)


async def test_a_search_that_takes_too_long_ends_with_what_to_do() -> None:
    with pytest.raises(CommandError, match="search a shorter time"):
        await Searches(seconds=0.01).run(forever)


async def test_a_search_that_is_cancelled_leaves_its_place_to_another() -> None:
    searches = Searches()
    for _ in range(20):
        task = asyncio.create_task(searches.run(forever))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    async def found() -> int:
        return 1

    assert await searches.run(found) == 1


async def test_more_searches_than_may_wait_are_refused() -> None:
    searches = Searches()
    tasks = [asyncio.create_task(searches.run(forever)) for _ in range(13)]
    await asyncio.sleep(0)
    with pytest.raises(TooManySearchesError):
        searches.admit(session())
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)

    searches.admit(session())
