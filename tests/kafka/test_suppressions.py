"""`ampgate suppress`, an edge and a delivery, as processes: a suppressed user has no records."""

import asyncio
import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import httpx

from ampgate.console.access import COOKIE, Access, Role
from ampgate.console.app import create_app
from ampgate.lab.chaos.asking import scrape
from ampgate.lab.kafka.ports import free_ports
from tests.eventually import seen
from tests.kafka.delivery_world import World
from tests.kafka.edge_process import KEY, running
from tests.kafka.one_delivery import delivering
from tests.operating import Operation, event
from tests.unit.ampgate.console.test_app import nothing


async def suppress(here: Operation, directory: Path, *arguments: str) -> str:
    result = await here.run(directory, "suppress", *arguments)
    assert result.exit_code == 0, result.output
    return result.output


async def test_what_is_in_kafka_is_skipped_and_traced_as_suppressed(
    world: World, tmp_path: Path
) -> None:
    here = Operation(world.config)
    events = here.config.kafka.topics.events
    await here.produce(events, [event(user) for user in ("ada", "bob", "x@Shop.Example")])
    said = await suppress(here, tmp_path, "add", "--user", "ada", "--domain", "shop.example")
    assert f"{events}: copies may remain until 20" in said
    async with delivering(world, tmp_path) as delivery:
        await here.produce(events, [event("ada"), event("cid")])
        await world.until_accepted("amplitude", 2)
        await world.until_accepted("aampe", 2)
        skipped = await seen(lambda: counted(delivery.url), lambda found: sum(found.values()) == 6)
        assert skipped == {("amplitude-us", "suppressed"): 3, ("aampe-us", "suppressed"): 3}

        await suppress(here, tmp_path, "remove", "--user", "ada")
        await seen(lambda: keys(delivery.url), lambda count: count == 1)
        await here.produce(events, [event("ada", n=2)])
        await world.until_accepted("amplitude", 3)
        await delivery.end()
    assert {one["user_id"] for one in await world.received("amplitude")} == {"bob", "cid", "ada"}
    lines = (await here.run(tmp_path, "trace", "--user", "x@Shop.Example", "--json")).output
    found = [json.loads(line) for line in lines.splitlines()]
    assert [(one["state"], one["reason"]) for one in found] == [("skipped", "suppressed")] * 2


async def test_a_lift_that_changes_nothing_is_not_told_as_one(
    here: Operation, tmp_path: Path
) -> None:
    listed = {"edge": here.config.edge.model_copy(update={"suppressed_user_ids": ("carl",)})}
    config = here.config.model_copy(update=listed)
    await suppress(here, tmp_path, "add", "--user", "ada", "--domain", "shop.example")
    access = Access("the operator's", None)
    app = create_app(config, access, nothing)
    cookie = access.new_session(Role.OPERATOR, time.time())
    session = access.session(cookie, time.time())
    assert session is not None
    form = {"csrf": session.csrf, "action": "remove"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://console.example",
        cookies={COOKIE: cookie},
        headers={"origin": "http://console.example"},
        follow_redirects=True,
    ) as browser:
        for name, said in {
            "bob": "Nothing was lifted",
            "x@Shop.Example": "Still suppressed, by <strong>@shop.example</strong>",
            "carl": "Still suppressed, by <strong>edge.suppressed_user_ids</strong>",
            "ada": "Lifted.",
        }.items():
            assert said in (await browser.post("/suppressions", data={**form, "name": name})).text


async def test_every_worker_of_an_edge_refuses_what_is_of_a_suppressed_user(
    here: Operation, tmp_path: Path
) -> None:
    kafka, [port] = here.config.kafka, free_ports(1)
    addresses = kafka.bootstrap_servers, kafka.topic_prefix
    async with running(tmp_path, *addresses, port, workers=2) as edge, edge.client() as client:

        async def reasons() -> set[str]:
            """Of several connections, so of both workers."""
            events = [
                {"event_type": "a", **ids}
                for ids in ({"user_id": "Ann@shop.example"}, {"device_id": "ann@shop.example"})
            ]
            answers = await asyncio.gather(
                *(client.post("/v1/events", json=events, headers=KEY) for _ in range(20))
            )
            rejected = [one.json().get("rejected", []) for one in answers]
            return {str([(one["index"], one["reason"]) for one in some]) for some in rejected}

        assert await reasons() == {"[]"}
        users = tmp_path / "users"
        users.write_text("\ufeff ANN@shop.example \n\n@nowhere.example\n")
        await suppress(here, tmp_path, "add", str(users), "--reason", "asked", "--by", "ops")
        written = time.time()
        await seen(partial(read_at, edge.url), lambda at: at > written)  # Of both workers.
        stored = len(await here.stored(kafka.topics.events))
        assert await reasons() == {"[(0, 'suppressed')]"}
        assert len(await here.stored(kafka.topics.events)) == stored + 20
        assert await here.stored(kafka.topics.dead_letters) == []
        listed = await suppress(here, tmp_path, "list", "--json")
        names = [(one["name"], one["by"]) for one in map(json.loads, listed.splitlines())]
        assert names == [("@nowhere.example", "ops"), ("ann@shop.example", "ops")]
        assert await edge.stop() == 0


async def counted(url: str) -> Mapping[tuple[str, str], float]:
    name = "ampgate_delivery_skipped_total"
    return {
        (one.labels["destination"], one.labels["reason"]): one.value
        for one in await scrape(url)
        if one.name == name
    }


async def read_at(url: str) -> float:
    name = "ampgate_edge_suppressions_read_timestamp_seconds"
    return next(one.value for one in await scrape(url) if one.name == name)


async def keys(url: str) -> float:
    name = "ampgate_delivery_suppressed_keys"
    return next(one.value for one in await scrape(url) if one.name == name)
