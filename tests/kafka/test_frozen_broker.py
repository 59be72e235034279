"""One broker of three hangs, with all its connections open: others lead its partitions, and who
writes and reads goes on there.
"""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from ampgate.lab.kafka.kafka import EmbeddedKafka
from ampgate.topics import create
from gateway.edge.log import EdgeLog
from schemas.configuration.config import Config
from schemas.kafka.asking import Connection
from schemas.kafka.batches import NotStored
from schemas.records import NewRecord
from tests.eventually import DEADLINE_SECONDS, seen
from tests.kafka.delivery_world import World, event
from tests.operating import simulating

USERS, PARTITIONS = 30, 6
NEVER_MS = 2000 * int(DEADLINE_SECONDS)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked of a broker that hangs would be waited for until the test fails."""
    init = Connection.__init__

    def patient_init(self: Connection, *arguments: Any, **named: Any) -> None:  # noqa: ANN401
        init(self, *arguments, **named)
        self._request_timeout = NEVER_MS / 1000

    monkeypatch.setattr(Connection, "__init__", patient_init)


@pytest.mark.usefixtures("patient")
async def test_while_one_broker_hangs_all_is_written_and_delivered(tmp_path: Path) -> None:
    async with simulating("amplitude") as url:
        with EmbeddedKafka(tmp_path / "kafka", brokers=3, heap_megabytes=256) as kafka:
            amplitude = {"name": "a", "type": "amplitude", "api_key": "k", "base_url": url}
            reached = {"bootstrap_servers": kafka.bootstrap_servers}
            config = Config.model_validate({"kafka": reached, "destinations": [amplitude]})
            await create(config.kafka, partitions=PARTITIONS)
            world, log = World(config, {"amplitude": url}), EdgeLog(config.kafka, 5.0)
            await log.start()
            log._log._connection.producer()._sender._request_timeout_ms = NEVER_MS
            try:
                async with world.delivering():
                    await store(log, config, 1)
                    await world.until_accepted("amplitude", USERS)
                    kafka.running[1].send_signal(signal.SIGSTOP)
                    try:
                        await store(log, config, 2)
                        await world.until_accepted("amplitude", 2 * USERS)
                    finally:
                        kafka.running[1].send_signal(signal.SIGCONT)
            finally:
                await log.stop()


async def store(log: EdgeLog, config: Config, number: int) -> None:
    """An event of each user, again until it is acknowledged, as clients do."""

    async def is_stored(record: NewRecord) -> bool:
        try:
            await log.append(config.kafka.topics.events, [record])
        except NotStored:
            return False
        return True

    async def is_stored_at_last(record: NewRecord) -> None:
        await seen(lambda: is_stored(record), bool)

    records = [NewRecord(*event(user, number)) for user in range(USERS)]
    await asyncio.gather(*map(is_stored_at_last, records))
