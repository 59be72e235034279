"""TCP connections to one host: each looks up its addresses anew, and tries them in parallel.

uvloop's `create_connection` tries one address after the other, so an IPv6 address that does not
answer would cost the whole timeout; and it looks up names in four threads for the whole process.
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from threading import Thread
from typing import TypeAlias

from aiohappyeyeballs import AddrInfoType, start_connection

Addresses: TypeAlias = Sequence[AddrInfoType]
# Delay before the next address is tried, too (RFC 8305 §5).
HEAD_START_SECONDS = 0.25


class Host:
    """A name and a port."""

    def __init__(self, name: str, port: int) -> None:
        self._name = name
        self._port = port
        self._looking_up: asyncio.Future[Addresses] | None = None

    async def connect(self) -> socket.socket:
        """A connected socket; `OSError` or `RuntimeError` if no address takes it.

        It has no timeout of its own.
        """
        connected = await start_connection(
            await self._addresses(), happy_eyeballs_delay=HEAD_START_SECONDS, interleave=1
        )
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    async def _addresses(self) -> Addresses:
        """Look up a host's addresses; callers during a lookup share its result.

        Each lookup has a thread: one that hangs delays no other host. It is a daemon thread, so it
        does not keep the process from ending.
        """
        if self._looking_up is None:
            loop = asyncio.get_running_loop()
            self._looking_up = loop.create_future()
            Thread(target=self._look_up, args=(loop, self._looking_up), daemon=True).start()
        return await asyncio.shield(self._looking_up)

    def _look_up(self, loop: asyncio.AbstractEventLoop, asked: "asyncio.Future[Addresses]") -> None:
        try:
            found = look_up(self._name, self._port)
        except (OSError, UnicodeError):
            found = ()
        with contextlib.suppress(RuntimeError):  # The loop may have ended since.
            loop.call_soon_threadsafe(self._looked_up, asked, found)

    def _looked_up(self, asked: "asyncio.Future[Addresses]", found: Addresses) -> None:
        self._looking_up = None
        asked.set_result(found)


def look_up(name: str, port: int) -> Addresses:
    return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
