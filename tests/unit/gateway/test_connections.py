"""How long a connection may take for each step; over a clock that the test turns."""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.connections import HEAD_SECONDS, LEAVE_SECONDS, LINGER_SECONDS, Connection
from tests.unit.gateway.memory import Edge

KEEP_ALIVE_SECONDS = 75
LARGE = (
    b"POST /v1/events HTTP/1.1\r\nAuthorization: Bearer secret\r\nContent-Length: 999999\r\n\r\n"
)
SMALL = (
    b"POST /v1/events HTTP/1.1\r\nAuthorization: Bearer secret\r\nContent-Length: 37\r\n\r\n"
    b'{"event_type":"a","user_id":"user-1"}'
)
HEALTH = b"GET /healthz HTTP/1.1\r\n\r\n"


class Clock:
    """A loop whose time passes at our word."""

    def __init__(self) -> None:
        self.now = 0.0
        self._alarms: list[tuple[float, asyncio.TimerHandle, Callable[[], None]]] = []
        self._loop = asyncio.get_running_loop()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(self.now + seconds, callback, (), self._loop)
        self._alarms.append((self.now + seconds, handle, callback))
        return handle

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._loop.create_task(coroutine, context=contextvars.copy_context())

    def pass_until(self, now: float) -> None:
        self.now = now
        due = [alarm for alarm in self._alarms if alarm[0] <= now]
        self._alarms = [alarm for alarm in self._alarms if alarm[0] > now]
        for _, handle, callback in due:
            if not handle.cancelled():
                callback()


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.writes = 0
        self.closed = False

    def write(self, data: Any) -> None:  # noqa: ANN401
        self.written += data
        self.writes += 1

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Peer:
    """A client's connection, and what happened on it."""

    def __init__(self) -> None:
        settings = uvicorn.Config(
            Edge(max_body_bytes=1_000).app,
            http=Connection,
            ws="none",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            log_level="error",
        )
        self.clock = Clock()
        self.wire = Wire()
        self.state = ServerState()
        loop: Any = self.clock
        self.connection = Connection(settings, self.state, {}, loop)
        self.connection.connection_made(self.wire)

    async def sends(self, data: bytes) -> None:
        self.connection.data_received(data)
        while self.state.tasks:
            await asyncio.wait(self.state.tasks)

    def is_closed_at(self, seconds: float) -> bool:
        """Whether it is closed then, and was not a moment before."""
        self.clock.pass_until(seconds - 0.01)
        before = self.wire.closed
        self.clock.pass_until(seconds)
        return self.wire.closed and not before


@pytest.fixture
async def peer() -> Peer:
    return Peer()


async def test_who_says_nothing_is_closed(peer: Peer) -> None:
    assert peer.is_closed_at(HEAD_SECONDS)
    assert peer.wire.written == b""


async def test_slow_headers_are_a_408(peer: Peer) -> None:
    await peer.sends(b"POST /v1/events HTT")
    peer.clock.pass_until(6)
    await peer.sends(b"P/1.1\r\nX: y")
    assert peer.is_closed_at(HEAD_SECONDS)
    assert peer.wire.written.startswith(b"HTTP/1.1 408 ")


async def test_slow_headers_of_a_second_request_are_a_408_too(peer: Peer) -> None:
    await peer.sends(HEALTH)
    peer.clock.pass_until(50)
    await peer.sends(HEALTH[:-1])
    assert peer.is_closed_at(50 + HEAD_SECONDS)
    assert peer.wire.written.count(b"HTTP/1.1 200 ") == 1
    assert b"HTTP/1.1 408 " in peer.wire.written


async def test_an_idle_connection_stays_open_for_a_load_balancer(peer: Peer) -> None:
    await peer.sends(HEALTH)
    assert peer.is_closed_at(KEEP_ALIVE_SECONDS)


async def test_empty_lines_keep_nothing_open(peer: Peer) -> None:
    await peer.sends(HEALTH)
    await peer.sends(b"\r\n")
    assert peer.is_closed_at(HEAD_SECONDS)


async def test_a_refused_body_may_follow_for_a_while(peer: Peer) -> None:
    await peer.sends(LARGE)
    assert b"HTTP/1.1 413 " in peer.wire.written
    await peer.sends(b"x" * 1_000)
    assert peer.is_closed_at(LINGER_SECONDS)


async def test_after_a_refused_body_the_connection_goes_on(peer: Peer) -> None:
    await peer.sends(LARGE)
    await peer.sends(b"x" * 999_999)
    peer.clock.pass_until(LINGER_SECONDS)
    await peer.sends(HEALTH)
    assert b"HTTP/1.1 200 " in peer.wire.written
    assert not peer.wire.closed


async def test_a_shutdown_leaves_a_moment_for_what_is_on_its_way(peer: Peer) -> None:
    await peer.sends(HEALTH)
    peer.connection.shutdown()
    assert peer.is_closed_at(LEAVE_SECONDS)


async def test_what_came_whole_is_answered_in_one_write(peer: Peer) -> None:
    await peer.sends(SMALL)
    await peer.sends(SMALL)

    assert peer.wire.written.count(b"HTTP/1.1 202 ") == 2
    assert peer.wire.writes == 2
    assert not peer.wire.closed


async def test_who_does_not_read_is_answered_when_there_is_room(peer: Peer) -> None:
    peer.connection.pause_writing()
    sending = asyncio.create_task(peer.sends(SMALL))
    answered, _ = await asyncio.wait([sending], timeout=0.05)
    assert not answered
    assert peer.wire.writes == 0

    peer.connection.resume_writing()
    await sending
    assert peer.wire.written.startswith(b"HTTP/1.1 202 ")


async def test_who_is_gone_is_not_answered(peer: Peer) -> None:
    peer.connection.data_received(SMALL)
    peer.connection.connection_lost(None)
    await asyncio.wait(peer.state.tasks)
    assert peer.wire.writes == 0
