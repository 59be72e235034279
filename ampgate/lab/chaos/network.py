"""Proxies between the parts: a way from one to another can be cut, slowed or made silent."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from ampgate.lab.kafka.settings import HOST

PIECE_BYTES = 65_536
SLOW_SECONDS = (0.02, 0.3)  # For each piece.
RESET_PROBABILITY = 0.05  # At each piece.
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the peer is told by RST, as if the host was gone.


class Impairment(StrEnum):
    CUT = "cut"
    RESETS = "connections are reset"
    SLOW = "slow"
    SILENT = "nothing comes through, and nobody is told"


class ConnectionReset(Exception):  # noqa: N818  It reads as what happened.
    """This connection has to end now."""


@dataclass(slots=True)
class Way:
    """All connections to one server. Through an unimpaired way, bytes and ends go as they come."""

    target: Callable[[], int]  # The server's port: it may have another after each start.
    random: Random
    _impairment: Impairment | None = None
    _passes: asyncio.Event = field(default_factory=asyncio.Event)
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    async def impair(self, impairment: Impairment, until: Awaitable[object]) -> None:
        self._impairment = impairment
        if impairment is Impairment.CUT:
            self.cut()
        await until
        self._impairment = None
        self._passes.set()
        self._passes = asyncio.Event()

    def cut(self) -> None:
        for connection in self._connections:
            connection.cancel()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, for as long as both ends want it and the way lets it be."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        opened, has_ended = [writer], False
        try:
            if self._impairment is Impairment.CUT:
                raise ConnectionReset
            from_server, to_server = await asyncio.open_connection(HOST, self.target())
            opened.append(to_server)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, to_server))
                both.create_task(self._pass(from_server, writer))
            has_ended = True
        except* (OSError, ConnectionReset, asyncio.CancelledError):
            pass  # Both ends are told below.
        finally:
            self._connections.discard(task)
            for one in opened:
                if has_ended:
                    one.close()
                else:
                    _reset(one)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE_BYTES):
            await self._impair_piece()
            writer.write(piece)
            await writer.drain()
        await self._impair_piece()
        writer.write_eof()

    async def _impair_piece(self) -> None:
        """What the way does to a piece."""
        match self._impairment:
            case Impairment.SILENT:
                await self._passes.wait()
            case Impairment.SLOW:
                await asyncio.sleep(self.random.uniform(*SLOW_SECONDS))
            case Impairment.RESETS:
                if self.random.random() < RESET_PROBABILITY:
                    raise ConnectionReset
            case _:
                pass


@dataclass(frozen=True, slots=True)
class Network:
    """The ways, by their names."""

    random: Random
    ways: dict[str, Way] = field(default_factory=dict)
    _servers: list[asyncio.Server] = field(default_factory=list)

    async def open_way(self, name: str, port: int, target: Callable[[], int]) -> None:
        """From now on, `port` leads to `target`."""
        way = self.ways[name] = Way(target, self.random)
        self._servers.append(await asyncio.start_server(way.serve, HOST, port))

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for way in self.ways.values():
            way.cut()


@asynccontextmanager
async def opened_network(random: Random) -> AsyncIterator[Network]:
    network = Network(random)
    try:
        yield network
    finally:
        await network.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
