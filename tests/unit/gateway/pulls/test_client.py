"""The client of one account: its pace, its waits, and a token that is replaced in its file."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pulls.client import ATTEMPTS_MAX, Client, Exchange
from gateway.pulls.pace import Pace
from gateway.pulls.pull import Answer, RefusedError, UnavailableError


class Time:
    """It passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class System:
    """A polled system that answers from a list, and knows who asked with which token."""

    def __init__(self, answers: Iterable[Answer | None]) -> None:
        self._answers = iter(answers)
        self.tokens: list[str] = []
        self.asked: list[str] = []

    async def __call__(
        self,
        path: str,
        query: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        into: Path | None = None,
    ) -> Answer | None:
        self.tokens.append(headers.get("authorization", ""))
        self.asked.append(path)
        answer = next(self._answers)
        if into is not None and answer is not None and answer.status == 200:
            await asyncio.to_thread(into.write_bytes, b"members")
        return answer


def answers(*statuses: int | None) -> list[Answer | None]:
    return [None if status is None else Answer(status, {}, b"") for status in statuses]


def a_client(system: Exchange, time: Time, tokens: Iterable[str] = ()) -> Client:
    given = iter(tokens)
    pace = Pace(1_000, 1.0, time.clock, time.sleep)
    return Client(
        system,
        lambda: {"authorization": next(given, "last")},
        pace,
        lambda _: None,
        time.sleep,
    )


@pytest.mark.parametrize("trouble", [None, 429, 500, 503, 408])
async def test_what_passes_is_asked_again(trouble: int | None) -> None:
    time, system = Time(), System(answers(trouble, trouble, 200))
    answer = await a_client(system, time).get("/x")
    assert answer.status == 200
    assert len(time.slept) == 2


async def test_a_wait_that_the_answer_names_is_kept() -> None:
    time = Time()
    system = System([Answer(429, {"retry-after": "7"}, b""), *answers(200)])
    await a_client(system, time).get("/x")
    assert time.slept == [7.0]


async def test_what_does_not_pass_is_given_up_after_some_attempts() -> None:
    system = System(answers(*[503] * ATTEMPTS_MAX))
    with pytest.raises(UnavailableError, match="status 503"):
        await a_client(system, Time()).get("/x")


async def test_a_401_reads_the_token_again_once() -> None:
    system = System(answers(200, 401, 200))
    ours = a_client(system, Time(), ["old", "new"])
    await ours.get("/x")
    assert (await ours.get("/x")).status == 200
    assert system.tokens == ["old", "old", "new"]


async def test_a_second_401_is_a_refusal_and_the_next_try_reads_the_token_again() -> None:
    system = System(answers(401, 401, 200))
    ours = a_client(system, Time(), ["one", "two", "three"])
    with pytest.raises(RefusedError, match="status_401"):
        await ours.get("/x")
    await ours.get("/x")
    assert system.tokens == ["one", "two", "three"]


@given(
    st.integers(1, 20),
    st.floats(0.1, 600.0),
    st.lists(st.tuples(*[st.floats(0.0, 50.0)] * 3), min_size=1, max_size=100),
)
def test_in_no_window_a_server_counts_more_requests_than_allowed(
    requests: int, seconds: float, times: list[tuple[float, float, float]]
) -> None:
    """Whenever it counts each: on its way it waits, and so does its answer."""
    time = Time()
    counted: list[float] = []

    async def ask() -> None:
        pace = Pace(requests, seconds, time.clock, time.sleep)
        for pause, way, way_back in times:
            time.now += pause
            async with pace:
                time.now += way
                counted.append(time.now)
                time.now += way_back

    asyncio.run(ask())
    for first, last in zip(counted, counted[requests:], strict=False):
        assert last - first >= seconds - 1e-6


async def test_half_of_an_emoji_makes_no_page_unreadable() -> None:
    """JavaScript writes `\\ud83d` where it cuts a text; JSON parsers refuse all of it."""
    system = System([Answer(200, {}, b'{"data":[{"id":"half \\ud83d","whole":"\\ud83d\\ude00"}]}')])
    answer = await a_client(system, Time(), ["t"]).get("/profiles")
    [profile] = json.loads(answer.body)["data"]
    assert profile == {"id": "half \ufffd", "whole": "\U0001f600"}


@given(
    requests=st.integers(1, 5),
    gaps=st.lists(st.floats(0.0, 3.0), min_size=1, max_size=30),
    restarts=st.sets(st.integers(0, 29)),
)
async def test_the_limit_is_kept_also_by_a_process_that_goes_on(
    requests: int, gaps: list[float], restarts: set[int]
) -> None:
    """It knows of the former one what was noted; the clocks of both begin anywhere."""
    seconds, time, asked = 4.0, Time(), list[float]()
    pace = Pace(requests, seconds, time.clock, time.sleep)
    for number, gap in enumerate(gaps):
        time.now += gap
        if number in restarts:
            noted = pace.lately(1e9 + time.now)
            pace = Pace(requests, seconds, lambda: time.now + 1_000.0, time.sleep)
            pace.remember(noted, 1e9 + time.now)
        async with pace:
            asked.append(time.now)
    for at in asked:
        assert sum(at <= other < at + seconds - 1e-6 for other in asked) <= requests


async def test_what_a_record_of_the_cursor_says_costs_no_more_than_the_limit() -> None:
    time = Time()
    pace = Pace(3, 60.0, time.clock, time.sleep)
    pace.remember([(2**50, 2**50), (-5, -7)], 1e9)
    async with pace:
        pass
    assert time.slept == [60.0]
