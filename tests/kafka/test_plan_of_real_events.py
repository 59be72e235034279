"""The real file: its first month makes the plan, which blocks what later months bring besides."""

import json
from itertools import islice
from pathlib import Path

import pytest

from ampgate.archive.archive import archive
from ampgate.archive.batches import Wanted
from ampgate.plan.observed import Observed
from schemas.plans.plan import plan_of
from schemas.topics import Kind
from tests.kafka.edge_process import running
from tests.kafka.replaying import replay
from tests.kafka.shop_events import REAL_EVENTS, real_events
from tests.kafka.test_plans import SOURCE, with_source
from tests.operating import Operation

FIRST_MONTH, ALL = 42_481, 541_909  # Events.
EACH = 40  # Of later months, every so many-th.


@pytest.mark.skipif(not REAL_EVENTS.exists(), reason=f"{REAL_EVENTS} is not here")
async def test_what_later_months_bring_is_dead_and_is_delivered_once_it_is_planned(
    here: Operation, tmp_path: Path, unused_tcp_port: int
) -> None:
    read, observed = real_events(ALL), Observed(enums=40)
    for line in islice(read, FIRST_MONTH):
        observed.see(Kind.EVENT, line)
    (file := tmp_path / "plan.json").write_text(json.dumps(observed.plan()))
    plan = plan_of(file.read_bytes())
    later = list(islice(read, 0, None, EACH))
    new = {id_of(one) for one in later if plan.violation(Kind.EVENT, one) is not None}
    assert 0 < len(new) < len(later)

    kafka, topics = here.config.kafka, here.config.kafka.topics
    async with running(
        tmp_path, kafka.bootstrap_servers, kafka.topic_prefix, unused_tcp_port
    ) as edge:
        edge.reload(edge.file.read_text() + SOURCE.format(file=file))
        await edge.says("configuration reloaded")
        async with edge.client() as client:
            for start in range(0, len(later), 1_000):
                events = b",".join(later[start : start + 1_000])
                body = b'{"api_key":"held","options":{"min_id_length":1},"events":[%b]}' % events
                answer = await client.post("/batch", content=body)
                assert answer.json()["events_ingested"] == len(later[start : start + 1_000])
        assert await ids_in(here, topics.dead_letters) == sorted(new)
        assert len(await ids_in(here, topics.events)) == len(later) - len(new)

        held = with_source(here, file)
        (apart := tmp_path / "apart").mkdir()
        ran = await held.run(apart, "plan", "diff", str(file), "--apply", "--json")
        assert ran.exit_code == 0, ran.output
        told = [json.loads(line) for line in ran.stdout.splitlines()]
        assert sum(one["count"] for one in told if one["drift"] != "not_seen") >= len(new)
        edge.reload(edge.file.read_text())
        await edge.says("configuration reloaded", times=2)
        assert (await replay(held)).to_send == {"edge": len(new)}
        assert await ids_in(here, topics.events) == sorted(map(id_of, later))


def id_of(line: bytes) -> str:
    return str(json.loads(line)["insert_id"])


async def ids_in(here: Operation, topic: str) -> list[str]:
    async with archive(here.config.kafka) as kafka:
        found = await kafka.find(await kafka.spans(topic), Wanted())
    return sorted(id_of(one.value or b"") for one in found)
