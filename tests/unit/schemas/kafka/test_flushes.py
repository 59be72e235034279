"""Who waits for a batch is told of its end."""

import asyncio
from typing import Any

import pytest

from schemas.kafka.flushes import Flush, OpenBatch, Write
from schemas.kafka.numbering import Numbering


def flush() -> Flush:
    return Flush(OpenBatch(1_000, 0, Numbering()))


async def test_a_writer_is_called_after_the_step_in_which_all_its_batches_ended() -> None:
    first, second, write, called = flush(), flush(), Write(), []
    first.await_by(write)
    second.await_by(write)
    write.then = lambda: called.append(write.error)
    first.end(ValueError("lost"))
    await asyncio.sleep(0)
    assert not called
    second.end(None)
    assert not called
    await asyncio.sleep(0)
    assert [str(error) for error in called] == ["lost"]


async def test_a_writer_that_fails_keeps_nothing_from_others() -> None:
    batch, failing, other, called = flush(), Write(), Write(), []
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    for write in (failing, other):
        batch.await_by(write)
    failing.then = lambda: 1 / 0
    other.then = lambda: called.append("other")
    batch.end(None)
    await asyncio.sleep(0)
    assert called == ["other"]
    assert isinstance(told[0]["exception"], ZeroDivisionError)


async def test_a_cancelled_writer_is_called_once_and_awaits_nothing() -> None:
    batch, write, called = flush(), Write(), []
    batch.await_by(write)
    write.then = lambda: called.append(write.error)
    write.cancel()
    await asyncio.sleep(0)
    batch.end(None)
    await asyncio.sleep(0)
    assert [type(error) for error in called] == [asyncio.CancelledError]
    with pytest.raises(asyncio.CancelledError):
        await write.ended()
