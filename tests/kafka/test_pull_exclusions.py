"""Pulls of Amplemarket's exclusions, on a real Kafka against the strict simulator."""

import asyncio
import dataclasses
import json
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from ampgate.lab.kafka.ports import free_ports
from ampgate.lab.simulators.amplemarket import Amplemarket
from ampgate.lab.simulators.requests_limit import RequestsLimit
from ampgate.trace.trace import ByUser
from ampgate.trace.whereabouts import State
from gateway.pulls import server
from schemas.configuration.file import load
from schemas.suppressions import Suppressions
from schemas.vendors import SYSTEMS
from tests.conftest import Broker
from tests.eventually import seen
from tests.kafka.edge_process import KEY, running
from tests.kafka.polling import Polled, polling
from tests.operating import set_faults

MOVE = {"kind": "move", "by": 5}
EXCLUSIONS = {"name": "ex", "type": "amplemarket-exclusions", "api_key": "k"}


async def suppressed(polled: Polled[Amplemarket]) -> Mapping[str, str]:
    """Each user or domain that is suppressed, and who suppressed it."""
    result = await polled.here.run(polled.directory, "suppress", "list", "--json")
    assert result.exit_code == 0, result.output
    return {one["name"]: one["by"] for one in map(json.loads, result.output.splitlines())}


async def test_what_is_excluded_is_suppressed_until_it_is_not_and_what_others_did_stays(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    system = Amplemarket()
    system.excluded_emails = [{"email": f" Lead{n}@Firm.Example "} for n in range(250)]
    system.excluded_emails += ["", {"reason": "none"}, {"email": "lead7@FIRM.example"}]
    system.excluded_domains = [{"domain": "Rival.example"}]
    async with polling(kafka, topic_prefix, tmp_path, system, EXCLUSIONS) as polled:
        add = ("suppress", "add", "--by", "me", "--user")
        await polled.here.run(tmp_path, *add, "Lead3@firm.example")
        await polled.here.run(tmp_path, *add, "other")
        status, out, said = await polled.run("--dry-run")
        assert status == 0, said
        shown = {one["name"] for one in map(json.loads, out.splitlines())}
        assert "ex: 254 objects in 4 pages" in await polled.once()
        everybody = {f"lead{n}@firm.example": "ex" for n in range(250)} | {"@rival.example": "ex"}
        assert shown == set(everybody) - {"lead3@firm.example"}
        own = {"lead3@firm.example": "me", "other": "me"}
        assert await suppressed(polled) == everybody | own
        reasons = [dict(letter.headers)["reason"] for letter in await polled.dead()]
        assert reasons == [b"invalid_exclusion"] * 2

        written = len(await polled.suppressions())
        await polled.once()
        assert len(await polled.suppressions()) == written

        del system.excluded_emails[:200]
        system.excluded_domains = []
        await polled.once()
        left = {f"lead{n}@firm.example": "ex" for n in [*range(200, 250), 7]}
        assert await suppressed(polled) == left | own
        known = Suppressions()
        known.read(await polled.suppressions())
        assert len(known) == len(left | own)

        await polled.here.run(tmp_path, "suppress", "remove", "--user", "lead3@firm.example")
        system.excluded_emails.append({"email": "lead3@firm.example"})
        await polled.once()
        assert (await suppressed(polled))["lead3@firm.example"] == "ex"
        assert system.violations.first == []


async def test_who_moves_to_a_page_that_was_read_stays_suppressed(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    system = Amplemarket()
    system.excluded_emails = [{"email": f"lead{n}@firm.example"} for n in range(150)]
    async with polling(kafka, topic_prefix, tmp_path, system, EXCLUSIONS) as polled:
        await polled.once()
        del system.excluded_emails[0]
        # So it is seen where five entries are deleted after the first page was read.
        moved = {"match": {"path": "/excluded-emails"}, "times": 2, "effect": MOVE}
        await set_faults(str(polled.pull["base_url"]), moved)
        await polled.once()
        assert set(await suppressed(polled)) == {f"lead{n}@firm.example" for n in range(1, 150)}


async def test_an_exclusion_that_is_added_reaches_a_running_edge_and_what_is_in_kafka_already(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    system, [port] = Amplemarket(), free_ports(1)
    often = EXCLUSIONS | {"every": "1s"}
    async with polling(kafka, topic_prefix, tmp_path, system, often) as polled:
        (edges := tmp_path / "edge").mkdir()
        at = kafka.bootstrap_servers, polled.here.config.kafka.topic_prefix, port
        process = await polled.start()
        async with running(edges, *at) as edge, edge.client() as client:

            async def status() -> int:
                event = {"event_type": "a", "user_id": "lead@firm.example"}
                return (await client.post("/v1/events", json=event, headers=KEY)).status_code

            assert await status() == 202
            system.excluded_emails.append({"email": "LEAD@firm.example"})
            await seen(status, lambda found: found == 422)
            sought = partial(polled.here.states, ByUser("lead@firm.example"))
            async with polled.here.delivering(tmp_path):
                await seen(sought, lambda found: set(found.values()) == {State.SKIPPED})
            system.excluded_emails.clear()
            await seen(status, lambda found: found == 202)
        process.send_signal(signal.SIGTERM)
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()


async def test_the_limit_of_the_key_is_kept_by_the_next_process(
    kafka: Broker, topic_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `--once` is called each minute, or a process is started anew."""
    system, (requests, seconds) = Amplemarket(), (5, 4.0)
    monkeypatch.setattr(system, "_limit", RequestsLimit(requests, seconds))
    limited = dataclasses.replace(
        SYSTEMS["amplemarket-exclusions"], requests=requests, seconds=seconds
    )
    monkeypatch.setitem(SYSTEMS, "amplemarket-exclusions", limited)
    system.excluded_emails = [{"email": f"lead{n}@firm.example"} for n in range(250)]
    async with polling(kafka, topic_prefix, tmp_path, system, EXCLUSIONS) as polled:
        config = load(polled.write(), {}, frozenset())
        for _ in range(2):
            ended = await asyncio.to_thread(
                server.run_once, config, (), lambda: config, lambda _: None
            )
            assert ended["ex"].trouble is None
        assert system.violations.first == []
