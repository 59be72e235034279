"""A process that pulls does not end without a word."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.pulls.server import ended_by_itself


async def returns() -> None:
    pass


async def raises() -> None:
    raise OSError("no files left")


async def is_cancelled() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("part", "cause"), [(returns, None), (is_cancelled, None), (raises, "no files left")]
)
async def test_a_part_that_ends_by_itself_is_named_with_its_error(
    part: Callable[[], Awaitable[None]], cause: str | None
) -> None:
    async def ends() -> None:
        await part()

    task = asyncio.create_task(ends(), name="group")
    await asyncio.wait([task])

    found = ended_by_itself(task)
    assert str(found) == "a part of this process ended by itself: group"
    assert (None if found.__cause__ is None else str(found.__cause__)) == cause
