"""TCP connections to one host: its addresses are looked up anew for each, and tried side by side.

uvloop's `create_connection` tries one address after the other, so an IPv6 address that nobody
answers at would cost the whole timeout; and it looks names up in four threads for all the process.
"""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from threading import Thread
from typing import TypeAlias

from aiohappyeyeballs import AddrInfoType, start_connection

Addresses: TypeAlias = Sequence[AddrInfoType]
# An address has so long before the next one is tried beside it (RFC 8305 §5).
HEAD_START_SECONDS = 0.25


class Host:
    """A name and a port."""

    def __init__(self, name: str, port: int) -> None:
        self._name = name
        self._port = port
        self._looking_up: asyncio.Future[Addresses] | None = None

    async def connect(self) -> socket.socket:
        """A connected socket; `OSError` or `RuntimeError` if no address takes it.

        It has no timeout: the caller's counts.
        """
        connected = await start_connection(
            await self._addresses(), happy_eyeballs_delay=HEAD_START_SECONDS, interleave=1
        )
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    async def _addresses(self) -> Addresses:
        """Whoever asks while a lookup is under way gets its result.

        A thread for each lookup: one that hangs keeps no other host waiting, and a daemon keeps no
        process from ending.
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
