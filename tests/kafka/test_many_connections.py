"""Many clients at once: the memory stays within the budget, and everybody is answered."""

import asyncio
import resource
from pathlib import Path

import psutil
import pytest

from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS, eventually, seen
from tests.kafka.edge_process import EdgeProcess, create_topics, running
from tests.loopback import hang_up

SLOW_CLIENTS = 1_000
PIECE_BYTES = 200_000
IDLE_CLIENTS = 10_000
BUDGET_BYTES = 20_000_000


async def test_a_thousand_slow_clients_fill_the_budget_and_not_the_memory(
    kafka: Broker, topic_prefix: str, unused_tcp_port: int, tmp_path: Path
) -> None:
    await create_topics(kafka.bootstrap_servers, topic_prefix)
    more = f"max_inflight_bytes = {BUDGET_BYTES}\nbody_timeout_seconds = 6"
    async with running(
        tmp_path, kafka.bootstrap_servers, topic_prefix, unused_tcp_port, more=more
    ) as edge:
        process = psutil.Process(edge.process.pid)
        before = process.memory_info().rss
        answers = await asyncio.gather(*(slow_client(edge) for _ in range(SLOW_CLIENTS)))
        grown = process.memory_info().rss - before

        assert sorted(set(answers)) == [408, 503]
        assert answers.count(408) >= BUDGET_BYTES // PIECE_BYTES // 2
        # Seen: 46 to 116 MB, as the allocator gives large blocks back or not.
        assert grown < 0.8 * SLOW_CLIENTS * PIECE_BYTES, "the memory holds all that was sent"
        await seen(edge.metrics, lambda text: "\nampgate_edge_inflight_bytes 0.0\n" in text)
        await edge.ready()


async def slow_client(edge: EdgeProcess) -> int:
    """Sends a part of its body and waits."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    try:
        head = b"POST /v1/events HTTP/1.1\r\nAuthorization: Bearer secret\r\n"
        head += b"Transfer-Encoding: chunked\r\n\r\n"
        piece = b"x" * PIECE_BYTES
        writer.write(head + b"%x\r\n%b\r\n" % (len(piece), piece))
        async with asyncio.timeout(DEADLINE_SECONDS):
            return int((await reader.readuntil(b"\r\n")).split()[1])
    finally:
        await hang_up(writer)


async def test_ten_thousand_connections_are_held_and_answered(
    kafka: Broker, topic_prefix: str, unused_tcp_port: int, tmp_path: Path
) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < IDLE_CLIENTS + 1_000:
        pytest.skip(f"the system allows fewer than {IDLE_CLIENTS} open files")
    await create_topics(kafka.bootstrap_servers, topic_prefix)
    async with running(tmp_path, kafka.bootstrap_servers, topic_prefix, unused_tcp_port) as edge:
        crowd: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        for _ in range(IDLE_CLIENTS // 500):
            crowd += await asyncio.gather(*(knock(edge) for _ in range(500)))
        process = psutil.Process(edge.process.pid)
        await eventually(lambda: len(process.net_connections("tcp")) > IDLE_CLIENTS)
        assert await asyncio.gather(*(again(*pair) for pair in crowd)) == [200] * IDLE_CLIENTS
        await asyncio.gather(*(hang_up(writer) for _, writer in crowd))


async def knock(edge: EdgeProcess) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port, limit=1_024)
    assert await again(reader, writer) == 200
    return reader, writer


async def again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    writer.write(b"GET /healthz HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(DEADLINE_SECONDS):
        status = int((await reader.readuntil(b"\r\n")).split()[1])
        await reader.readuntil(b"}")
    return status
