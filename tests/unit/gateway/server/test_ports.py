"""Connections of a port with TLS, from their first byte on."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.server.ports import Handshakes, Port
from gateway.server.tls import context_of
from tests.eventually import DEADLINE_SECONDS, eventually
from tests.loopback import hang_up
from tests.unit.gateway.memory import Edge


class Full(socket.socket):
    """A listening socket of a process that has all of its files open, at first."""

    tries = 0

    def accept(self) -> tuple[socket.socket, Any]:
        type(self).tries += 1
        if self.tries == 1:
            raise OSError(errno.EMFILE, "too many open files")
        return super().accept()


class Secured:
    def __init__(self, folder: Path, listener: socket.socket) -> None:
        authority, certificate = trustme.CA(), folder / "edge.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        self.trust = ssl.create_default_context()
        authority.configure_trust(self.trust)
        listener.bind(("127.0.0.1", 0))
        listener.setblocking(False)
        self.tls = context_of(certificate, None)
        self.address = listener.getsockname()

    async def connect(self, *, tls: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        trust = self.trust if tls else None
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await asyncio.open_connection(*self.address, ssl=trust)


@asynccontextmanager
async def secured(folder: Path, listener: socket.socket, most: int) -> AsyncIterator[Secured]:
    found = Secured(folder, listener)

    # Nobody asks for an application: a handshake is all.
    handshakes = Handshakes(Port(listener, Edge().app, most, found.tls), asyncio.Protocol)
    try:
        yield found
    finally:
        handshakes.stop()
        listener.close()
        await eventually(lambda: len(asyncio.all_tasks()) == 1)


async def test_a_handshake_too_many_takes_the_place_of_the_oldest(tmp_path: Path) -> None:
    async with secured(tmp_path, socket.socket(), most=2) as port:
        silent = [await port.connect(tls=False) for _ in range(2)]
        _, writer = await port.connect(tls=True)
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await silent[0][0].read() == b""
        assert not silent[1][0].at_eof()
        for _, one in [*silent, (None, writer)]:
            await hang_up(one)


async def test_without_a_file_for_it_a_connection_is_accepted_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.server.ports.NO_FILE_SECONDS", 0.01)
    async with secured(tmp_path, Full(), most=2) as port:
        _, writer = await port.connect(tls=True)
        await hang_up(writer)
