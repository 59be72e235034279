"""A tracking plan at the edge and at the delivery, through a reload and a replay."""

import json
from pathlib import Path

from ampgate.resend.letter_replay import Decision
from schemas.configuration.config import Config
from tests.kafka.delivery_world import World, event
from tests.kafka.edge_process import running
from tests.kafka.one_delivery import delivering
from tests.kafka.replaying import replay
from tests.operating import AMPLITUDE, Operation

PLAN = {"events": {"Bought": {"properties": {"n": {"type": "integer"}}}}}
SOURCE = '\n[[sources]]\nname = "held"\nwrite_key = "held"\nplan = "{file}"\nplan_mode = "block"\n'
KEY = {"authorization": "Bearer held"}


async def test_what_a_plan_blocked_is_stored_by_a_replay_once_it_is_planned(
    here: Operation, tmp_path: Path, unused_tcp_port: int
) -> None:
    (file := tmp_path / "plan.json").write_text(json.dumps(PLAN))
    kafka, topics = here.config.kafka, here.config.kafka.topics
    source = SOURCE.format(file=file)
    bought = {"event_type": "Bought", "user_id": "ann", "insert_id": "a"}
    viewed = {"event_type": "Viewed", "user_id": "ann", "insert_id": "b"}
    async with running(
        tmp_path, kafka.bootstrap_servers, kafka.topic_prefix, unused_tcp_port, workers=2
    ) as edge:
        edge.reload(edge.file.read_text() + source)
        await edge.says("configuration reloaded")
        async with edge.client() as client:
            answer = await client.post("/v1/events", json=[bought, viewed], headers=KEY)
            while answer.status_code == 401:  # The other worker has not read it yet.
                answer = await client.post("/v1/events", json=[bought, viewed], headers=KEY)
        assert answer.json()["rejected"][0]["reason"] == "not_in_plan"
        held = with_source(here, file)
        assert (await replay(held)).left == {Decision.REFUSED: 1}

        file.write_text(json.dumps({"events": {**PLAN["events"], "Viewed": {}}}))
        edge.reload(edge.file.read_text())
        await edge.says("configuration reloaded", times=2)
        assert (await replay(held)).to_send == {"edge": 1}
        stored = [json.loads(one.value or b"") for one in await here.stored(topics.events)]
        assert sorted(one["insert_id"] for one in stored) == ["a", "b"]

        file.write_text("{")
        edge.reload(edge.file.read_text())
        await edge.says("new configuration rejected, keeping the former one")
        assert await edge.stop() == 0


async def test_a_service_that_produces_itself_is_held_to_the_plan_of_the_delivery(
    world: World, tmp_path: Path
) -> None:
    (file := tmp_path / "plan.json").write_text(json.dumps(PLAN))
    delivery = {"plan": file, "plan_mode": "block"}
    config = world.config.model_copy(
        update={"delivery": world.config.delivery.model_copy(update=delivery)}
    )
    held = World(config, world.urls)
    key, good = event(1, 1)
    unknown, wrong = good.replace(b"Bought", b"Viewed"), good.replace(b": 1}", b': "x"}')
    await held.produce(config.kafka.topics.events, [(key, unknown), (key, good), (key, wrong)])
    async with held.delivering():
        dead = await held.dead_letters(4)  # Of both destinations.
        await held.until_accepted("amplitude", 1)
        await held.until_accepted("aampe", 1)
    found = sorted((one["destination"], one["reason"], one["value"]) for one in dead)
    assert [one for one in found if one[0] == AMPLITUDE] == [
        (AMPLITUDE, "not_in_plan", unknown.decode()),
        (AMPLITUDE, "violates_plan", wrong.decode()),
    ]


async def test_sighup_applies_the_plan_of_the_delivery_and_keeps_the_former_for_a_bad_one(
    world: World, tmp_path: Path
) -> None:
    (file := tmp_path / "plan.json").write_text(json.dumps(PLAN))
    topics = world.config.kafka.topics
    key, good = event(1, 1)

    async def produce(event_type: str) -> None:
        await world.produce(topics.events, [(key, good.replace(b"Bought", event_type.encode()))])

    async def until_accepted(count: int) -> None:
        for kind in ("amplitude", "aampe"):
            await world.until_accepted(kind, count)

    async with delivering(world, tmp_path) as delivery:
        plain = delivery.file.read_text()
        held = plain.replace("[delivery]", f'[delivery]\nplan = "{file}"\nplan_mode = "block"')
        await produce("before")
        await until_accepted(1)
        await delivery.reload(held)
        await delivery.says("configuration reloaded")
        await produce("blocked")
        assert {one["reason"] for one in await world.dead_letters(2)} == {"not_in_plan"}

        file.write_text(json.dumps({"events": {**PLAN["events"], "planned": {}}}))
        await delivery.reload(held)
        await delivery.says("configuration reloaded", times=2)
        await produce("planned")
        await until_accepted(2)

        file.write_text("{")
        await delivery.reload(held)
        await delivery.says("new configuration rejected, keeping the former one")
        await produce("still blocked")
        dead = await world.dead_letters(4)  # Two destinations' each.
        await delivery.reload(
            held.replace("block", "warn").replace(str(file), str(good_plan(file)))
        )
        await delivery.says("configuration reloaded", times=3)
        await produce("only counted")
        await until_accepted(3)
        await delivery.end()
    assert {json.loads(one["value"])["event_type"] for one in dead} == {"blocked", "still blocked"}


def good_plan(beside: Path) -> Path:
    (file := beside.with_name("good.json")).write_text(json.dumps(PLAN))
    return file


def with_source(here: Operation, file: Path) -> Operation:
    source = {"name": "held", "write_key": "k", "plan": str(file), "plan_mode": "block"}
    tree = here.config.model_dump(exclude={"destinations", "sources", "pulls"})
    config = Config.model_validate({**tree, "sources": [source]})
    return Operation(config.model_copy(update={"destinations": here.config.destinations}))
