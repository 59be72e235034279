"""From a polled system with faults to both destinations; and the commands, on pulled records."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from ampgate.lab.simulators.amperity import Amperity, AmperityOptions
from ampgate.lab.simulators.amplemarket import Amplemarket, AmplemarketOptions
from ampgate.lab.simulators.reads.side import AmplitudeRead, AmplitudeReadOptions
from tests.conftest import Broker
from tests.kafka.delivery_world import opened_world
from tests.kafka.polling import AMPERITY, AMPLEMARKET, COHORT, polling, values
from tests.operating import AMPLITUDE, Operation, set_faults

PROFILES = 200


def answer(status: int, times: int = 1, retry_after: str = "0") -> Mapping[str, object]:
    """Some requests get this answer."""
    headers = {"retry-after": retry_after}
    effect = {"kind": "answer", "status": status, "headers": headers}
    return {"match": {}, "times": times, "effect": effect}


async def test_every_profile_arrives_at_both_destinations_as_it_is_and_can_be_traced_and_replayed(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    system = Amperity(AmperityOptions(profiles=PROFILES, page_max=20))
    system.show(7, {"id": "odd", "attributes": {"email": "null", "ltv": 1}})
    async with (
        polling(kafka, topic_prefix, tmp_path, system, AMPERITY) as polled,
        opened_world(kafka, topic_prefix) as world,
    ):
        rules = answer(429, 2, "1"), answer(503), answer(401)
        await set_faults(str(polled.pull["base_url"]).removesuffix("/api"), *rules)
        await polled.once()
        assert system.violations.first == []
        async with world.delivering():
            for kind in ("amplitude", "aampe"):
                await world.until_accepted(kind, PROFILES - 1)
        wanted = {
            str(profile["email"]): {name: profile[name] for name in ("ltv", "segment")}
            for number in range(PROFILES)
            if number != 7
            for profile in [system.profile(number)]
        }
        amplitude = await world.received("amplitude")
        found = {one["user_id"]: one["user_properties"]["$set"] for one in amplitude}
        assert found == wanted
        aampe = await world.received("aampe")
        assert {one["contact_id"]: one["user_properties"] for one in aampe} == wanted
        await commands(Operation(world.config), tmp_path, "user8@shop.example")
        (aside := tmp_path / "aside").mkdir()
        wanted_lines = ("-n", "1", "--source", "vip", "--user", "user9@shop.example", "--json")
        process = await Operation(world.config).start(aside, "tail", *wanted_lines)
        tailing = asyncio.create_task(process.communicate())
        while not tailing.done():  # Nothing says from outside that the tail has begun.
            system.change(9)
            await polled.once()
        shown = json.loads((await tailing)[0])
        assert (shown["source"], shown["key"]) == ("vip", "user9@shop.example")


async def commands(here: Operation, directory: Path, user: str) -> None:
    traced = await here.run(directory, "trace", "--user", user, "--json")
    lines = [json.loads(line) for line in traced.output.splitlines()]
    assert {(one["destination"], one["state"]) for one in lines} == {
        (AMPLITUDE, "delivered"),
        ("aampe-us", "delivered"),
    }
    dead = await here.run(directory, "dead-letters", "list", "--each", "--json")
    [letter] = [json.loads(line) for line in dead.output.splitlines()]
    assert (letter["destination"], letter["reason"]) == ("edge", "invalid_id")
    times = ("--from", "1h", "--to", "now", "--user", user)
    replayed = await here.run(directory, "replay", "--destination", AMPLITUDE, *times, "--yes")
    assert replayed.exit_code == 0, replayed.output
    parked = await here.stored(here.config.kafka.topics.parked)
    assert [one.key for one in parked] == [user.encode()]


async def test_a_run_goes_on_after_answers_that_pass(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    system = Amplemarket(AmplemarketOptions(tasks=20))
    async with polling(kafka, topic_prefix, tmp_path, system, AMPLEMARKET) as polled:
        passing = [answer(one) for one in (408, 425, 429, 500, 503)]
        await set_faults(str(polled.pull["base_url"]), *passing)
        await polled.once()
        assert len(await polled.events()) == 10


async def test_a_login_that_ends_in_the_middle_is_renewed_once_and_then_said(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    system = Amplemarket(AmplemarketOptions(tasks=150))
    async with polling(kafka, topic_prefix, tmp_path, system, AMPLEMARKET) as polled:
        url = str(polled.pull["base_url"])
        await set_faults(url, {**answer(401, 2), "match": {"path": "/contacts"}})
        status, _, said = await polled.run("--once")
        assert (status, "status_401" in said) == (1, True), said
        await set_faults(url)
        await polled.once()
        assert len(await polled.events()) == 75


async def test_what_is_cut_off_or_no_answer_of_the_api_changes_nothing(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    system = AmplitudeRead(AmplitudeReadOptions(members=3_000))
    async with polling(kafka, topic_prefix, tmp_path, system, COHORT) as polled:
        url = str(polled.pull["base_url"])
        for effect in ({"kind": "cut", "bytes": 5_000}, {"kind": "html", "status": 200}):
            await set_faults(url, {"match": {}, "times": 100, "effect": effect})
            status, _, _ = await polled.run("--once")
            assert status == 1
            assert await polled.produced() == []
        await set_faults(url)
        await polled.once()
        assert len({value["user_id"] for value in values(await polled.produced())}) == 3_000
