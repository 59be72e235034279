"""A listening socket and what serves it; connections with TLS are accepted here, one by one.

An event loop's own server tells nothing of a connection before its handshake has ended, so no limit
of connections holds: each takes 53 kB and a file for up to ten seconds, and needs no key.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from gateway.server.connections import HEAD_SECONDS, LINGER_SECONDS
from gateway.server.whole_request import Serve

BACKLOG = 4_096
ACCEPTED_AT_ONCE = 100
NO_FILE_SECONDS = 1.0  # Until the next try to accept, when all of a process's files are open.

Shaking: TypeAlias = asyncio.Task[tuple[asyncio.Transport, asyncio.Protocol]]


@dataclass(frozen=True, slots=True)
class Port:
    listener: socket.socket
    app: Serve
    connections_max: int
    tls: ssl.SSLContext | None

    def options(self, handshake_seconds: float) -> dict[str, Any]:
        """For the event loop."""
        if self.tls is None:
            return {}
        return {
            "ssl": self.tls,
            "ssl_handshake_timeout": handshake_seconds,
            "ssl_shutdown_timeout": LINGER_SECONDS,
        }


class Handshakes:
    """Accepts a port's connections. There are at most as many handshakes as connections may be:
    a further one takes the place of the oldest.
    """

    def __init__(self, port: Port, make: Callable[[], asyncio.Protocol]) -> None:
        self._port = port
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._going: dict[Shaking, None] = {}
        self._later: asyncio.TimerHandle | None = None
        port.listener.listen(BACKLOG)
        self._listen()

    def stop(self) -> None:
        """Accept no more."""
        self._loop.remove_reader(self._port.listener)
        if self._later is not None:
            self._later.cancel()

    def _listen(self) -> None:
        self._loop.add_reader(self._port.listener, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, _ = self._port.listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:
                self.stop()
                self._later = self._loop.call_later(NO_FILE_SECONDS, self._listen)
                return
            connection.setblocking(False)
            with contextlib.suppress(OSError):  # macOS: its client is gone.
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if len(self._going) >= self._port.connections_max:
                oldest = next(iter(self._going))
                del self._going[oldest]
                oldest.cancel()
            options = self._port.options(HEAD_SECONDS)
            shaking = self._loop.connect_accepted_socket(self._make, connection, **options)
            task = self._loop.create_task(shaking)
            self._going[task] = None
            task.add_done_callback(partial(self._ended, connection))

    def _ended(self, connection: socket.socket, task: Shaking) -> None:
        self._going.pop(task, None)
        if task.cancelled() or task.exception() is not None:  # It concerns only its client.
            connection.close()
