"""With `spool_dir`, an edge goes on accepting while Kafka is away, and loses and swaps nothing."""

import asyncio
import itertools
import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import psutil

from ampgate.lab.kafka.kafka import EmbeddedKafka
from tests.eventually import eventually, seen
from tests.kafka.edge_process import KEY, EdgeProcess, create_topics, running, start
from tests.kafka.test_edge_kafka_away import insert_ids, probe

PREFIX = "away."
USERS = 6
WORKERS = 3


class Senders:
    """Clients, each a user that sends one event after the other, over new connections: each may be
    another worker's."""

    def __init__(self, edge: EdgeProcess) -> None:
        self.edge = edge
        self.acknowledged: list[str] = []
        self._over = asyncio.Event()

    def stop(self) -> None:
        self._over.set()

    async def send(self, user: int) -> None:
        for number in itertools.count(1):
            insert_id = f"{user}-{number}"
            event = {"event_type": "a", "user_id": f"user-{user}", "insert_id": insert_id}
            while not await self._is_accepted(event):
                if self._over.is_set():
                    return
            self.acknowledged.append(insert_id)
            if self._over.is_set():
                return

    async def _is_accepted(self, event: dict[str, str]) -> bool:
        try:
            async with self.edge.client() as client:
                answer = await client.post("/v1/events", json=event, headers=KEY)
        except httpx.TransportError:
            return False  # The edge is killed.
        return answer.status_code == 202

    async def hear(self, more: int) -> None:
        """Wait until so many more events are accepted."""
        count = len(self.acknowledged) + more
        await eventually(lambda: len(self.acknowledged) >= count)


async def test_what_is_accepted_while_kafka_is_away_survives_kills_and_keeps_its_order(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    more = f'ack_timeout_seconds = 2\nspool_dir = "{tmp_path / "spool"}"'
    with EmbeddedKafka(tmp_path / "kafka") as kafka:
        await create_topics(kafka.bootstrap_servers, PREFIX)
        async with running(
            tmp_path, kafka.bootstrap_servers, PREFIX, unused_tcp_port, workers=WORKERS, more=more
        ) as edge:
            senders = Senders(edge)
            async with asyncio.TaskGroup() as tasks:
                for user in range(USERS):
                    tasks.create_task(senders.send(user))
                await senders.hear(100)
                await asyncio.to_thread(kafka.kill, 1)
                await senders.hear(200)
                assert "on the disk" in (await probe(edge)).text
                edge.workers()[0].kill()
                await senders.hear(200)
                async with killed_and_started(senders.edge) as second:
                    senders.edge = second
                    await senders.hear(200)
                    assert await spooled(second) >= 500
                    await asyncio.to_thread(kafka.restart, 1)
                    await seen(partial(spooled, second), lambda records: records < 500)
                    async with killed_and_started(second) as third:
                        senders.edge = third
                        await senders.hear(100)
                        await seen(partial(spooled, third), lambda records: not records)
                        await senders.hear(100)
                        assert (await probe(third)).json() == {"status": "ready"}
                        senders.stop()
        stored = await insert_ids(kafka)
    assert set(senders.acknowledged) <= set(stored)
    for user in range(USERS):
        # What stands twice was on its way when the edge was killed; its first place counts.
        mine = list(dict.fromkeys(i for i in stored if i.startswith(f"{user}-")))
        assert mine == sorted(mine, key=lambda i: int(i.partition("-")[2]))


@asynccontextmanager
async def killed_and_started(edge: EdgeProcess) -> AsyncIterator[EdgeProcess]:
    """Another edge like it, after a SIGKILL of the process and all its workers."""
    workers = edge.workers()
    edge.process.kill()
    edge.process.wait()
    for worker in workers:
        with suppress(psutil.NoSuchProcess):
            worker.kill()
    another = start(edge.file, edge.port)
    try:
        yield another
    finally:
        another.process.kill()
        another.process.wait()


async def spooled(edge: EdgeProcess) -> float:
    try:
        text = await edge.metrics()
    except httpx.TransportError:
        return math.inf
    found = re.search(r"^ampgate_edge_spool_records (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else math.inf
