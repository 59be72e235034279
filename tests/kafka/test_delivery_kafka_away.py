"""Kafka goes away while a parked record is due: nothing ends, and all goes on."""

import asyncio
import time
from pathlib import Path

from ampgate.lab.kafka.kafka import EmbeddedKafka
from tests.conftest import Broker
from tests.eventually import eventually
from tests.kafka.delivery_world import Clock, event, opened_world
from tests.kafka.kafka_operations import metric, with_amplitude
from tests.operating import AMPLITUDE

AWAY_SECONDS = 45.0  # aiokafka's requests, and so the reads of parked records, end after 40.


async def test_a_parked_key_that_is_due_while_kafka_is_away_is_delivered_afterwards(
    tmp_path: Path,
) -> None:
    with EmbeddedKafka(tmp_path / "kafka", heap_megabytes=256) as kafka:
        async with opened_world(Broker(kafka.bootstrap_servers), "away.") as opened:
            world, clock = with_amplitude(opened), Clock()
            topic = world.config.kafka.topics.events
            quota = {"kind": "daily_quota", "ids": ["user-1"], "seconds": 1.0}
            await world.set_faults("amplitude", {"times": 1, "effect": quota})
            async with world.delivering(clock) as workers:
                await world.produce(topic, [event(1, 1)])
                await eventually(lambda: parked() == 1)
                await asyncio.to_thread(kafka.kill, 1)
                gone_at, clock.ahead_seconds = time.monotonic(), 25 * 3600.0
                await eventually(lambda: time.monotonic() - gone_at > AWAY_SECONDS)
                assert not any(worker.is_stuck for worker in workers)
                await asyncio.to_thread(kafka.restart, 1)
                await world.produce(topic, [event(2, 2)])
                await world.until_accepted("amplitude", 2)
            found = [one["event_properties"]["n"] for one in await world.received("amplitude")]
    assert sorted(found) == [1, 2]


def parked() -> float:
    return metric("waiting_records", destination=AMPLITUDE, reason="parked")
