"""A host with several addresses, and one whose name is not found for long."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
import uvloop
from aiohappyeyeballs import AddrInfoType

from consumers.delivery.destination import Response
from consumers.http import connecting, connection
from consumers.http.connecting import Host
from tests.eventually import DEADLINE_SECONDS
from tests.unit.consumers.http.http1_ends import Ends, Say

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=request.param) as one:
        yield one


def listener(address: str, backlog: int = 128) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family)
    listening.bind((address, 0))
    listening.listen(backlog)
    return listening


def address_of(listening: socket.socket) -> AddrInfoType:
    return (listening.family, socket.SOCK_STREAM, 6, "", listening.getsockname())


def black_hole() -> list[socket.socket]:
    """A listener whose queue is full: nobody gets an answer there."""
    hole = listener("::1", backlog=0)
    waiting = [socket.socket(socket.AF_INET6) for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(hole.getsockname())
    return [hole, *waiting]


def test_an_address_where_nobody_answers_costs_a_moment(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    hole, *waiting = black_hole()
    here = listener("127.0.0.1")
    found = [address_of(hole), address_of(here)]
    monkeypatch.setattr(connecting, "look_up", lambda _name, _port: found)

    async def connect() -> str:
        async with asyncio.timeout(60):  # A black hole would take two minutes.
            with await Host("dual", 1).connect() as connected:
                return str(connected.getpeername()[0])

    assert runner.run(connect()) == "127.0.0.1"
    for one in (hole, here, *waiting):
        one.close()


def test_a_lookup_that_hangs_keeps_no_other_host_waiting(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = listener("127.0.0.1")
    ended = threading.Event()
    asked: list[str] = []

    def look_up(name: str, _port: int) -> list[AddrInfoType]:
        asked.append(name)
        if name == "hangs":
            ended.wait()
        return [address_of(here)]

    monkeypatch.setattr(connecting, "look_up", look_up)

    async def connect() -> None:
        hanging = Host("hangs", 1)
        waiting = [asyncio.create_task(hanging.connect()) for _ in range(100)]
        await asyncio.sleep(0)
        async with asyncio.timeout(DEADLINE_SECONDS):
            (await Host("other", 1).connect()).close()
        waiting[0].cancel()  # Whoever gives up takes no other's result with it.
        ended.set()
        for outcome in (await asyncio.gather(*waiting, return_exceptions=True))[1:]:
            assert isinstance(outcome, socket.socket)
            outcome.close()

    runner.run(connect())
    assert asked == ["hangs", "other"]
    here.close()


@pytest.mark.parametrize("name", ["a..b", "a" * 64, "no-such-host.invalid", "\x00", ""])
def test_a_name_that_is_none_is_not_found(runner: asyncio.Runner, name: str) -> None:
    async def send() -> object:
        async with Ends() as ends:
            ends.client._host = Host(name, 1)
            return await ends.send()

    reply = runner.run(send())
    assert str(reply) == "Unreachable(reason='connect_failed')"


@pytest.mark.parametrize(("age_seconds", "connections"), [(60.0, 1), (-1.0, 2)])
def test_no_request_begins_on_a_connection_that_is_too_old(
    runner: asyncio.Runner,
    monkeypatch: pytest.MonkeyPatch,
    age_seconds: float,
    connections: int,
) -> None:
    monkeypatch.setattr(connection, "AGE_SECONDS", age_seconds)

    async def send() -> int:
        async with Ends(Say(OK), Say(OK)) as ends:
            assert await ends.send() == Response(200, b"ok")
            assert await ends.send() == Response(200, b"ok")
            return ends.far.connections

    assert runner.run(send()) == connections
