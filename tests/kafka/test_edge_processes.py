"""The edge's worker processes serve one port; clients notice none that starts or ends."""

import asyncio
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS, eventually, seen
from tests.kafka.edge_process import KEY, EdgeProcess, create_topics, running, start
from tests.kafka.test_edge import stored
from tests.loopback import hang_up

EVENT = {"event_type": "a", "user_id": "user-1"}
SECOND = """
[[sources]]
name = "second"
write_key = "two"
allowed_origins = ["https://two.example"]
"""


@pytest.fixture
async def edge(
    kafka: Broker, topic_prefix: str, unused_tcp_port: int, tmp_path: Path
) -> AsyncIterator[EdgeProcess]:
    await create_topics(kafka.bootstrap_servers, topic_prefix)
    async with running(
        tmp_path,
        kafka.bootstrap_servers,
        topic_prefix,
        unused_tcp_port,
        workers=2,
        more="body_timeout_seconds = 3600",  # Longer than any test waits.
    ) as edge:
        yield edge


async def post(client: httpx.AsyncClient, key: str = "secret") -> httpx.Response:
    return await client.post("/v1/events", json=EVENT, headers={"authorization": f"Bearer {key}"})


async def fresh_post(edge: EdgeProcess, key: str = "secret") -> httpx.Response:
    """On a connection of its own."""
    async with edge.client() as client:
        return await post(client, key)


async def accepted(edge: EdgeProcess) -> int:
    name = 'ampgate_edge_records_total{kind="event",outcome="accepted",source="shop"} '
    async with edge.client() as client:
        lines = (await client.get("/metrics")).text.splitlines()
    return sum(int(float(line.removeprefix(name))) for line in lines if line.startswith(name))


async def test_one_scrape_is_the_sum_and_survives_a_worker(edge: EdgeProcess) -> None:
    await asyncio.gather(*(fresh_post(edge) for _ in range(40)))
    scrapes = [await accepted(edge) for _ in range(10)]
    assert scrapes == [40] * 10

    victim, other = edge.workers()
    victim.send_signal(signal.SIGKILL)
    await edge.says("worker ended, starting another")
    await eventually(lambda: len(edge.workers()) == 2 and victim not in edge.workers())
    assert other in edge.workers()
    assert (await fresh_post(edge)).status_code == 202
    assert await accepted(edge) == 41
    await seen(edge.metrics, lambda text: "\nampgate_edge_inflight_bytes 0.0\n" in text)


async def test_sighup_applies_sources_on_connections_that_stay_open(edge: EdgeProcess) -> None:
    good = edge.file.read_text()
    clients = [edge.client() for _ in range(8)]  # Of both workers, most likely.
    try:
        assert {(await post(client, "two")).status_code for client in clients} == {401}
        connections = open_connections(edge)

        edge.reload(good + SECOND)
        await edge.says("configuration reloaded")
        await all_answer(clients, "two", 202)

        edge.reload(good + SECOND + "nonsense = 1\n")
        await edge.says("sources.1.nonsense")
        await all_answer(clients, "two", 202)

        all_wrong = ("events_per_second = nan", "scrub = [{ pattern = '(' }]", "ip = \u0000")
        for number, wrong in enumerate(all_wrong, start=2):
            edge.reload(f"{good}{SECOND}{wrong}\n")
            await edge.says("new configuration rejected, keeping the former one", times=number)
        await all_answer(clients, "two", 202)

        edge.reload(good.replace("workers = 2", "workers = 1"))
        await edge.says("edge.workers")
        await all_answer(clients, "two", 401)
        assert open_connections(edge) == connections
        assert len(edge.workers()) == 2
    finally:
        for client in clients:
            await client.aclose()


def open_connections(edge: EdgeProcess) -> set[tuple[str, int]]:
    """The clients' ends; not of those that clients have closed and workers have yet to close."""
    return {
        (connection.raddr.ip, connection.raddr.port)
        for worker in edge.workers()
        for connection in worker.net_connections("tcp")
        if connection.status == psutil.CONN_ESTABLISHED and connection.laddr.port == edge.port
    }


async def all_answer(clients: list[httpx.AsyncClient], key: str, status: int) -> None:
    """Wait until each does: a signal reaches a worker when it reaches it."""
    for client in clients:
        await seen(partial(post, client, key), lambda answer: answer.status_code == status)


async def test_a_successor_takes_over_without_a_refused_connection(
    edge: EdgeProcess, kafka: Broker, topic_prefix: str
) -> None:
    statuses: list[int] = []
    over = asyncio.Event()

    async def knock() -> None:
        while not over.is_set():
            statuses.append((await fresh_post(edge)).status_code)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(knock())
        successor = start(edge.file, edge.port)
        try:
            await eventually(lambda: listens(successor))
            assert await edge.stop() == 0
            before = len(statuses)
            await eventually(lambda: len(statuses) > before + 50)
            over.set()
        finally:
            over.set()
            ended = await successor.stop()
    assert ended == 0
    assert set(statuses) == {202}
    assert len(await stored(kafka, f"{topic_prefix}events")) == len(statuses)


def listens(edge: EdgeProcess) -> bool:
    return any(
        connection.status == psutil.CONN_LISTEN
        for worker in edge.workers()
        for connection in worker.net_connections("tcp")
    )


async def test_sigterm_ends_though_a_body_never_does_and_everything_acknowledged_is_stored(
    edge: EdgeProcess, kafka: Broker, topic_prefix: str
) -> None:
    acknowledged: set[str] = set()

    async def send(sender: int) -> None:
        async with edge.client() as client:
            for number in range(100_000):
                insert_id = f"{sender}-{number}"
                try:
                    answer = await client.post(
                        "/v1/events", json=EVENT | {"insert_id": insert_id}, headers=KEY
                    )
                except httpx.TransportError:
                    return
                if answer.status_code == 202:
                    acknowledged.add(insert_id)

    async with asyncio.TaskGroup() as tasks:
        for sender in range(8):
            tasks.create_task(send(sender))
        await eventually(lambda: len(acknowledged) > 300)
        # A client that never finishes its request must not keep the worker alive.
        _, slow = await asyncio.open_connection("127.0.0.1", edge.port)
        slow.write(b"POST /v1/events HTTP/1.1\r\nContent-Length: 100\r\n\r\nx")
        assert await edge.stop() == 0
        await hang_up(slow)
    records = await stored(kafka, f"{topic_prefix}events")
    assert acknowledged <= {insert_id(record.value) for record in records}


def insert_id(value: bytes) -> str:
    return value.partition(b'"insert_id":"')[2].partition(b'"')[0].decode()


async def test_workers_do_not_outlive_a_killed_parent(edge: EdgeProcess) -> None:
    workers = edge.workers()
    edge.process.kill()
    gone, alive = await asyncio.to_thread(psutil.wait_procs, workers, DEADLINE_SECONDS)
    assert (len(gone), alive) == (2, [])
