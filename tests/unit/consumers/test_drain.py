"""While a worker drains nothing new goes out, and what is under way is waited for."""

import asyncio

from consumers.drain import Drain
from tests.eventually import DEADLINE_SECONDS


class Requests:
    def __init__(self) -> None:
        self.in_flight = 0


def test_nothing_new_goes_out_while_any_drain_goes_on() -> None:
    drain = Drain("a/events", lambda: 0)
    seen = [drain.is_open]
    with drain.closed():
        with drain.closed():
            seen.append(drain.is_open)
        seen.append(drain.is_open)
    seen.append(drain.is_open)

    assert seen == [True, False, False, True]


def test_nothing_new_goes_out_after_a_stop_during_a_drain() -> None:
    drain = Drain("a/events", lambda: 0)
    with drain.closed():
        drain.stop()
    assert not drain.is_open


async def test_a_drain_waits_for_every_request_and_every_letter() -> None:
    requests = Requests()
    drain = Drain("a/events", lambda: requests.in_flight)
    requests.in_flight = 2
    drain.letters_begin(2)
    drained = asyncio.create_task(drain.drained(60.0))
    for ends in ("request", "letters", "request"):
        await asyncio.sleep(0)
        assert not drained.done()
        if ends == "request":
            requests.in_flight -= 1
            drain.request_ended()
        else:
            drain.letters_ended(2)
    await drained


async def test_a_drain_does_not_wait_for_ever() -> None:
    drain = Drain("a/events", lambda: 1)
    async with asyncio.timeout(DEADLINE_SECONDS):
        [error] = await asyncio.gather(drain.drained(0.0), return_exceptions=True)
    assert error is None
