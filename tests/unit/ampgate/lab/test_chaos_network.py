"""The ways between the parts of `ampgate chaos`: what passes, and what each impairment does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest

from ampgate.lab.chaos.network import Impairment, Network, Way, opened_network
from ampgate.lab.kafka.ports import free_ports
from ampgate.lab.kafka.settings import HOST
from tests.eventually import DEADLINE_SECONDS

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
NAME = "the echo"


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that sends back what it reads, and ends when that ends."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65_536):
                writer.write(piece)
                await writer.drain()
        writer.close()
        ended.set()

    ended = asyncio.Event()  # Of the last one.
    [port] = free_ports(1)
    async with await asyncio.start_server(answer, HOST, port):
        yield port
        await ended.wait()


@pytest.fixture
async def way() -> AsyncIterator[tuple[Way, int]]:
    """To an echo, and the port that leads there."""
    async with echo() as port, opened_network(Random(1)) as network:
        yield await opened_way(network, port)


async def opened_way(network: Network, port: int) -> tuple[Way, int]:
    [before] = free_ports(1)
    await network.open_way(NAME, before, lambda: port)
    return network.ways[NAME], before


async def echoed(ends: Ends, data: bytes) -> bytes:
    reader, writer = ends
    writer.write(data)
    return await reader.readexactly(len(data))


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Ends]:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def test_bytes_and_the_end_of_one_side_pass(way: tuple[Way, int]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS), connected(way[1]) as (reader, writer):
        data = Random(2).randbytes(3_000_000)
        writer.write(data)
        writer.write_eof()
        assert await reader.read() == data


async def test_a_cut_way_ends_what_is_open_and_lets_nobody_in_until_it_is_healed(
    way: tuple[Way, int],
) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        async with connected(way[1]) as before:
            await echoed(before, b"before")
            async with impaired(way[0], Impairment.CUT):
                with pytest.raises(ConnectionError):
                    await before[0].read()
                async with connected(way[1]) as late:
                    with pytest.raises(ConnectionError):
                        await late[0].read()
        async with connected(way[1]) as after:
            assert await echoed(after, b"after") == b"after"


async def test_a_silent_way_lets_all_through_once_it_is_healed(way: tuple[Way, int]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS), connected(way[1]) as ends:
        async with impaired(way[0], Impairment.SILENT):
            reading = asyncio.create_task(echoed(ends, b"unheard"))
            async with connected(way[0].target()) as others:
                await echoed(others, b"not by this way")
            assert not reading.done()
        assert await reading == b"unheard"


async def test_a_way_that_resets_ends_a_connection_at_some_piece(way: tuple[Way, int]) -> None:
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        connected(way[1]) as ends,
        impaired(way[0], Impairment.RESETS),
    ):
        with pytest.raises(ConnectionError):
            await talk(ends)


async def talk(ends: Ends) -> None:
    while True:
        await echoed(ends, b"x")


@asynccontextmanager
async def impaired(way: Way, impairment: Impairment) -> AsyncIterator[None]:
    """For as long as the block takes."""
    healed = asyncio.Event()
    task = asyncio.create_task(way.impair(impairment, healed.wait()))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        healed.set()
        await task
