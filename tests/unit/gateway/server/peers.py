"""A client whose connection has a clock that the test turns."""

import asyncio
import contextvars
import re
from collections.abc import Callable, Coroutine
from functools import partial
from operator import itemgetter
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from gateway.server.connections import (
    Connection,
)
from gateway.server.crowd import Crowd
from tests.unit.gateway.memory import Edge

KEEP_ALIVE_SECONDS = 75
SMALL = (
    b"POST /v1/events HTTP/1.1\r\nAuthorization: Bearer secret\r\nContent-Length: 37\r\n\r\n"
    b'{"event_type":"a","user_id":"user-1"}'
)
HEALTH = b"GET /healthz HTTP/1.1\r\n\r\n"
LARGE = (
    b"POST /v1/events HTTP/1.1\r\nAuthorization: Bearer secret\r\nContent-Length: 999999\r\n\r\n"
)


class Clock:
    """A loop whose time passes when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.alarms: list[tuple[float, asyncio.TimerHandle, Callable[[], None]]] = []
        self._loop = asyncio.get_running_loop()

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(self.now + seconds, callback, (), self._loop)
        self.alarms.append((self.now + seconds, handle, callback))
        return handle

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._loop.create_task(coroutine, context=contextvars.copy_context())

    def pass_until(self, now: float) -> None:
        while due := [alarm for alarm in self.alarms if alarm[0] <= now]:
            alarm = min(due, key=itemgetter(0))
            self.alarms.remove(alarm)
            self.now, handle, callback = alarm
            if not handle.cancelled():
                callback()
        self.now = now


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.writes = 0
        self.unread = 0  # What the client has not taken of it.
        self.closed = self.aborted = False

    def write(self, data: Any) -> None:  # noqa: ANN401
        self.written += data
        self.writes += 1

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def get_write_buffer_size(self) -> int:
        return self.unread

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Peer:
    """A client's connection, and what happened on it."""

    def __init__(self, connections_max: int = 10) -> None:
        self.edge = edge = Edge(max_body_bytes=1_000, max_inflight_bytes=100_000)
        self.budget = edge.ingest.budget
        self._connections_max = connections_max
        self._crowd = Crowd(self.budget)
        self._settings = uvicorn.Config(
            edge.app,
            http=Connection,
            ws="none",
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            log_level="error",
        )
        self.clock = Clock()
        self.state = ServerState()
        self.connection, self.wire = self.connect()

    def connect(self) -> tuple[Connection, Wire]:
        loop: Any = self.clock
        connection = Connection(
            self._settings,
            self.state,
            {},
            loop,
            crowd=self._crowd,
            connections_max=self._connections_max,
        )
        wire = Wire()
        connection.connection_made(wire)
        return connection, wire

    async def sends(self, data: bytes) -> None:
        self.connection.data_received(data)
        await self.served()

    async def served(self) -> None:
        """Return when all that came is answered, or will not be."""
        step = partial(asyncio.sleep, 0)
        await step()  # An answer that is known comes a step later, without a task.
        while self.state.tasks:
            await step()

    def statuses(self) -> list[int]:
        """Of all answers, in their order."""
        return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d+) ", self.wire.written)]

    def is_closed_at(self, seconds: float) -> bool:
        """Whether it is closed then, and was not a moment before."""
        self.clock.pass_until(seconds - 0.01)
        before = self.wire.closed
        self.clock.pass_until(seconds)
        return self.wire.closed and not before
