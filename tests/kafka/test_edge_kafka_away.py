"""Kafka stops and starts again: the edge says so, and loses nothing that it acknowledged."""

import asyncio
import re
from pathlib import Path

import httpx
import psutil
from aiokafka import AIOKafkaConsumer

from ampgate.lab.kafka.kafka import EmbeddedKafka
from tests.eventually import eventually
from tests.kafka.edge_process import KEY, EdgeProcess, create_topics, running

PREFIX = "away."


class Senders:
    """Clients that send without pause, each a user in its order, and note what was answered."""

    def __init__(self, edge: EdgeProcess) -> None:
        self.acknowledged: list[str] = []
        self.statuses: list[int] = []
        self._edge = edge
        self._over = asyncio.Event()

    def stop(self) -> None:
        self._over.set()

    async def send(self, sender: int) -> None:
        number = 0
        async with self._edge.client() as client:
            while not self._over.is_set():
                number += 1
                insert_id = f"{sender}-{number}"
                event = {"event_type": "a", "user_id": f"user-{sender}", "insert_id": insert_id}
                answer = await client.post("/v1/events", json=event, headers=KEY)
                self.statuses.append(answer.status_code)
                if answer.status_code == 202:
                    self.acknowledged.append(insert_id)
                else:
                    assert answer.headers["retry-after"] == "1"

    async def hear(self, status: int) -> None:
        """Wait until somebody is answered so from now on."""
        now = len(self.statuses)
        await eventually(lambda: status in self.statuses[now:])


async def test_while_kafka_is_dead_nothing_is_acknowledged_and_afterwards_all_goes_on(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    with EmbeddedKafka(tmp_path / "kafka") as kafka:
        await create_topics(kafka.bootstrap_servers, PREFIX)
        async with running(
            tmp_path,
            kafka.bootstrap_servers,
            PREFIX,
            unused_tcp_port,
            more="ack_timeout_seconds = 6",
        ) as edge:
            senders = Senders(edge)
            async with asyncio.TaskGroup() as tasks:
                for sender in range(4):
                    tasks.create_task(senders.send(sender))
                await eventually(lambda: len(senders.acknowledged) > 200)
                for _ in range(2):
                    await asyncio.to_thread(kafka.kill, 1)
                    await senders.hear(503)
                    assert (await probe(edge)).status_code == 503
                    await asyncio.to_thread(kafka.restart, 1)
                    await senders.hear(202)
                    await edge.ready()  # The outage is over: the next one is another.
                senders.stop()
            assert set(senders.statuses) == {202, 503}
            # A busy machine may have an outage of its own; each has one line, and its end another.
            said = re.findall("Kafka takes (no writes|writes again)", edge.said.read_text())
            assert said == (["no writes", "writes again"] * len(said))[: len(said)]
            assert len(said) >= 4
        stored = await insert_ids(kafka)
    assert set(senders.acknowledged) <= set(stored)
    for sender in range(4):
        # In order, too: what stands twice (stored, and yet not acknowledged) was not sent twice.
        mine = [i for i in stored if i.startswith(f"{sender}-")]
        assert mine == sorted(mine, key=lambda i: int(i.partition("-")[2]))


async def test_a_frozen_kafka_keeps_nobody_from_leaving(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    with EmbeddedKafka(tmp_path / "kafka") as kafka:
        await create_topics(kafka.bootstrap_servers, PREFIX)
        java = psutil.Process(kafka.running[1].pid)
        async with (
            running(
                tmp_path,
                kafka.bootstrap_servers,
                PREFIX,
                unused_tcp_port,
                more="ack_timeout_seconds = 3600",  # Longer than any test waits.
            ) as edge,
            edge.client() as client,
        ):
            java.suspend()
            try:
                async with asyncio.TaskGroup() as tasks:
                    event = {"event_type": "a", "user_id": "u"}
                    waiting = tasks.create_task(client.post("/v1/events", json=event, headers=KEY))
                    await edge.holds_bytes()
                    assert await edge.stop() == 0
                assert waiting.result().status_code == 503
            finally:
                java.resume()


async def probe(edge: EdgeProcess) -> httpx.Response:
    async with edge.client() as client:
        return await client.get("/readyz")


async def insert_ids(kafka: EmbeddedKafka) -> list[str]:
    async with AIOKafkaConsumer(
        f"{PREFIX}events",
        bootstrap_servers=kafka.bootstrap_servers,
        auto_offset_reset="earliest",
    ) as consumer:
        ends = await consumer.end_offsets(consumer.assignment())
        values: list[bytes] = []
        while len(values) < sum(ends.values()):
            for batch in (await consumer.getmany(timeout_ms=1000)).values():
                values += [record.value for record in batch]
        return [
            value.partition(b'"insert_id":"')[2].partition(b'"')[0].decode() for value in values
        ]
