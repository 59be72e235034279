"""What all readers of a process have fetched stays within one bound."""

import asyncio
import time
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from schemas.kafka.fetching.budget import SLOW_SECONDS, Arrival, Budget


@dataclass(eq=False)
class Reader:
    """A reader that has fetched so much of each of its partitions."""

    wanted: list[int]
    unwanted: list[int]

    @property
    def held_bytes(self) -> int:
        return sum(self.wanted) + sum(self.unwanted)

    def give_way(self) -> bool:
        return bool(self.unwanted) and self.unwanted.pop() >= 0


async def arrive(budget: Budget, reader: Reader, size: int) -> None:
    async with budget.room(size, lambda: 0):
        await asyncio.sleep(0)
    reader.wanted.append(size)


async def test_an_answer_waits_until_others_were_taken() -> None:
    budget, reader = Budget(100), Reader([60], [])
    budget.join(reader)
    waiting = asyncio.create_task(arrive(budget, reader, 50))
    for _ in range(3):
        await asyncio.sleep(0)
    assert reader.wanted == [60]

    reader.wanted.clear()
    budget.changed()
    await waiting
    assert reader.wanted == [50]


async def test_what_nobody_wants_gives_way_and_what_is_wanted_stays() -> None:
    budget = Budget(100)
    full, other = Reader([20], [40, 40]), Reader([], [])
    budget.join(full)
    budget.join(other)
    await arrive(budget, other, 35)
    assert (full.wanted, full.unwanted, other.wanted) == ([20], [40], [35])


async def test_an_answer_longer_than_the_bound_is_read_alone() -> None:
    budget, reader = Budget(100), Reader([], [90])
    budget.join(reader)
    await arrive(budget, reader, 1000)
    assert (reader.wanted, reader.unwanted) == ([1000], [])


async def test_who_gives_up_waiting_keeps_no_place() -> None:
    budget, reader = Budget(100), Reader([90], [])
    budget.join(reader)
    waiting = [asyncio.create_task(arrive(budget, reader, 50)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    waiting[1].cancel()
    reader.wanted.clear()
    await waiting[2]
    assert reader.wanted == [50]


def test_an_answer_of_a_slow_broker_counts_with_what_came_of_it() -> None:
    assert Arrival(1000, lambda: 10).bytes == 1000
    began = time.monotonic() - SLOW_SECONDS - 1
    assert Arrival(1000, lambda: 10, began=began).bytes == 10


@given(sizes=st.lists(st.integers(1, 150), min_size=1, max_size=30), bound=st.integers(1, 200))
async def test_all_answers_are_read_in_turn_within_the_bound(sizes: list[int], bound: int) -> None:
    budget, reader, order = Budget(bound), Reader([], []), []

    async def arrives(number: int, size: int) -> None:
        async with budget.room(size, lambda: 0):
            order.append(number)
            assert budget.bytes <= max(bound, size)
            await asyncio.sleep(0)
        reader.wanted.append(size)

    async def taken() -> None:
        while len(order) < len(sizes) or reader.wanted:
            reader.wanted.clear()
            budget.changed()
            await asyncio.sleep(0)

    budget.join(reader)
    async with asyncio.TaskGroup() as tasks:
        for number, size in enumerate(sizes):
            tasks.create_task(arrives(number, size))
        tasks.create_task(taken())
    assert order == list(range(len(sizes)))
