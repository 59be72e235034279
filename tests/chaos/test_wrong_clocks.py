"""Wall clocks further ahead than Kafka allows stop neither an edge nor a delivery."""

from pathlib import Path

import httpx

from ampgate import topics
from ampgate.archive.archive import archive
from ampgate.lab.chaos.clients import event
from ampgate.lab.chaos.fleet import KEY, Fleet
from ampgate.lab.chaos.odd_records import MARK
from ampgate.lab.chaos.witness import Witness
from ampgate.lab.kafka.ports import free_ports
from schemas.configuration.config import Kafka
from schemas.kafka.log import Log
from schemas.records import NewRecord
from tests.conftest import Broker
from tests.eventually import DEADLINE_SECONDS, seen

AHEAD_SECONDS = 5 * 3600.0
UNUSABLE = NewRecord(b"odd", b"no JSON", [(MARK, b"no JSON")])


async def test_clocks_that_are_ahead_stop_neither_events_nor_dead_letters(
    tmp_path: Path, kafka: Broker, topic_prefix: str
) -> None:
    [port] = free_ports(1)
    fleet = Fleet(tmp_path, port)
    try:
        for kind in ("edge", "delivery"):
            fleet.clock(kind).add()
            fleet.clock(kind).set(AHEAD_SECONDS)
        for kind in ("amplitude", "aampe"):
            await fleet.start_simulator(kind)
        config = fleet.configure(kafka.bootstrap_servers, topic_prefix)
        await topics.create(config.kafka, partitions=2)
        await fleet.start_edge()
        await fleet.start_delivery()
        await send(fleet, "ann-0")
        await produce(config.kafka, UNUSABLE)
        await send(fleet, "ann-1")
        async with archive(config.kafka) as stored:
            witness = Witness(config.kafka, stored, fleet, deleted=[], growths=[])
            await seen(witness.unsettled, lambda unsettled: not any(unsettled.values()))
            evidence = await witness.evidence(["ann-0", "ann-1"], [], None)
        await fleet.stop_gateway()
    finally:
        fleet.end()
    assert evidence.amplitude == evidence.aampe == ["ann-0", "ann-1"]
    assert len(evidence.dead_letters) == 2
    assert not fleet.troubles


async def send(fleet: Fleet, insert_id: str) -> None:
    async with httpx.AsyncClient(timeout=DEADLINE_SECONDS, trust_env=False) as client:
        answer = await client.post(
            f"{fleet.edge_url}/v1/events",
            content=event(insert_id),
            headers={"authorization": f"Bearer {KEY}"},
        )
    assert answer.status_code == 202, answer.text


async def produce(kafka: Kafka, record: NewRecord) -> None:
    log = Log(kafka, [kafka.topics.events], ack_timeout_seconds=None, on_outage="it waits")
    await log.start()
    try:
        await log.append(kafka.topics.events, [record])
    finally:
        await log.stop()
