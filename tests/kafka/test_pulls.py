"""`ampgate pull` on a real Kafka, against the strict simulator of Amperity."""

import asyncio
import json
import math
import operator
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from ampgate.destinations.groups import Group, groups_of
from ampgate.lab.simulators.amperity import Amperity, AmperityOptions
from ampgate.lab.simulators.model import Answer, Conditions, json_answer
from schemas.records import Stored
from schemas.topics import Kind
from tests.conftest import Broker
from tests.eventually import eventually, seen
from tests.kafka.delivery_world import opened_world
from tests.kafka.polling import AMPERITY, Polled, polling, values
from tests.kafka.processes import Process, running

PROFILES, PAGE = 1_500, 20
ASSIGNED = "pulls assigned"


@pytest.fixture
async def polled(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[Polled[Amperity]]:
    options = AmperityOptions(profiles=PROFILES)
    async with polled_here(kafka, topic_prefix, tmp_path, options) as world:
        yield world


def polled_here(
    kafka: Broker, prefix: str, directory: Path, options: AmperityOptions
) -> AbstractAsyncContextManager[Polled[Amperity]]:
    return polling(kafka, prefix, directory, Amperity(options), AMPERITY)


async def test_all_profiles_are_produced_once_and_then_only_what_changed(
    polled: Polled[Amperity],
) -> None:
    status, out, said = await polled.run("--once")
    assert status == 0, said
    assert out.startswith(f"vip: {PROFILES} objects in 2 pages, {PROFILES} records")
    first = await polled.produced()
    assert len(first) == PROFILES
    sample = next(value for value in values(first) if value["user_id"] == "user7@shop.example")
    assert sample["user_properties"] == {"$set": {"ltv": 7, "segment": "vip"}}
    assert {dict(record.headers)["source"] for record in first} == {b"vip"}

    polled.system.change(7)
    status, out, said = await polled.run("--once")
    assert status == 0, said
    newest = Counter(str(value["user_id"]) for value in values(await polled.produced()))
    assert newest["user7@shop.example"] == 2
    assert newest.total() == PROFILES + 1
    assert polled.system.violations.first == []


async def test_odd_profiles_are_dead_letters_once_and_harm_no_other(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    options = AmperityOptions(profiles=40, attributes_as_list=True)
    async with polled_here(kafka, topic_prefix, tmp_path, options) as polled:
        odd: list[object] = [
            *(None, 17, "text", [], {}, {"id": 7}, {"id": "a", "attributes": "none"}),
            {"id": "no user", "attributes": {"ltv": 1}},
            {"id": "refused", "attributes": {"email": "null", "ltv": 1}},
            {"id": "blank", "attributes": {"email": " ", "ltv": 1}},
            {"id": "deep", "attributes": {"email": "d@e.f", "ltv": nested(60)}},
            {"id": "large", "attributes": {"email": "l@e.f", "ltv": os.urandom(15_000_000).hex()}},
        ]
        for number, profile in enumerate(odd):
            polled.system.show(number, profile)
        silent = {"id": "silent", "attributes": {"email": "s@e.f", "city": "Bonn"}}
        polled.system.show(len(odd), silent)

        for _ in range(2):
            status, _, said = await polled.run("--once")
            assert status == 0, said
        assert len(await polled.produced()) == 40 - len(odd) - 1
        reasons = Counter(dict(letter.headers)["reason"] for letter in await polled.dead())
        assert reasons == {
            b"invalid_profile": 6,
            b"missing_id": 3,
            b"invalid_id": 1,
            b"too_deep": 1,
            b"too_large": 1,
        }


def nested(levels: int) -> object:
    return {"a": nested(levels - 1)} if levels else 1


class Shutting(Amperity):
    """One that shows no profile from this number on, so that nobody comes to the end."""

    shown_below: float = 100

    def _page(self, query: Mapping[str, str], conditions: Conditions) -> Answer:
        if (self._start_of(query.get("next_token", "")) or 0) >= self.shown_below:
            return json_answer(503, {})
        return super()._page(query, conditions)


async def test_a_cursor_that_is_not_known_any_more_starts_over_and_repeats_nothing(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    system = Shutting(AmperityOptions(profiles=120, page_max=PAGE))
    async with polling(kafka, topic_prefix, tmp_path, system, AMPERITY) as polled:
        process = await polled.start()
        await seen(polled.cursors, len)
        process.kill()
        await process.communicate()
        system.shown_below = math.inf
        system.expire_cursors()

        status, _, said = await polled.run("--once")
        assert (status, "starting over" in said) == (0, True), said
        records = await polled.produced()
        insert_ids = {value["insert_id"] for value in values(records)}
        assert len(insert_ids) == 120
        assert len(records) <= 140


async def test_after_kill_9_another_process_goes_on_and_both_destinations_have_every_profile(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    """Each record that is not of the pages that were open when a process was killed comes once."""
    system = Shutting(AmperityOptions(profiles=PROFILES, page_max=PAGE))
    async with (
        polling(kafka, topic_prefix, tmp_path, system, AMPERITY) as polled,
        opened_world(kafka, topic_prefix) as world,
        world.delivering(),
        AsyncExitStack() as stack,
    ):
        file = polled.write()
        pulling = [stack.enter_context(running("pull", configuration=file)) for _ in range(2)]
        for share in (4, 2):
            # As it shows a bit more, it is killed in the midst of a page.
            system.shown_below = PROFILES // share + 5 * PAGE
            await eventually(lambda: all(ASSIGNED in one.said for one in pulling))
            await seen(polled.produced, partial(has, PROFILES // share))
            await eventually(lambda: sum(map(owns, pulling)) == 1)
            pulling.sort(key=owns)
            pulling.pop().kill()
            pulling.append(stack.enter_context(running("pull", configuration=file)))
        system.shown_below = math.inf
        records = await seen(polled.produced, lambda found: ids(found) == PROFILES)
        for process in pulling:
            # Before that, no signal has a handler yet.
            await eventually(partial(said, process, ASSIGNED))
            assert await asyncio.to_thread(process.stop) == 0, process.said
        assert len(records) <= PROFILES + 2 * PAGE
        assert polled.system.violations.first == []

        wanted = {
            str(profile["email"]): {name: profile[name] for name in ("ltv", "segment")}
            for profile in map(polled.system.profile, range(PROFILES))
        }
        # Updates of one user that wait together may become one: so users are counted.
        amplitude = await seen(
            partial(world.received, "amplitude"), partial(has_users, PROFILES, "user_id")
        )
        assert {one["user_id"]: one["user_properties"]["$set"] for one in amplitude} == wanted
        aampe = await seen(
            partial(world.received, "aampe"), partial(has_users, PROFILES, "contact_id")
        )
        assert {one["contact_id"]: one["user_properties"] for one in aampe} == wanted


def said(process: Process, words: str) -> bool:
    return words in process.said


def owns(process: Process) -> bool:
    """Whether it was given the pull when partitions were assigned last."""
    assigned = [line for line in process.said.splitlines() if ASSIGNED in line]
    return bool(assigned) and json.loads(assigned[-1])["pulls"] == [AMPERITY["name"]]


def has_users(count: int, name: str, found: Sequence[Mapping[str, object]]) -> bool:
    return len({one[name] for one in found}) >= count


async def test_of_two_that_run_once_at_the_same_time_one_pulls_and_limits_are_kept(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    """As of a schedule that calls again before the first run has ended."""
    system = Shutting(AmperityOptions(profiles=PROFILES, page_max=PROFILES // 60))
    async with polling(kafka, topic_prefix, tmp_path, system, AMPERITY) as polled:
        started = [await polled.start("--once")]
        await seen(polled.cursors, len)
        started.append(await polled.start("--once"))
        topics = polled.here.config.kafka.topics
        group = Group(topics.pull_group, "", Kind.EVENT)
        async with groups_of(polled.here.config.kafka) as groups:
            await seen(partial(groups.members, group), partial(operator.eq, 2))
        system.shown_below = math.inf
        ended = await asyncio.gather(*(one.communicate() for one in started))
        assert sorted(one.returncode or 0 for one in started) == [0, 1]
        assert b"another process runs it" in b"".join(said for _, said in ended)
        assert ids(await polled.produced()) == PROFILES
        assert len(await polled.produced()) == PROFILES
        assert system.violations.first == []


def has(count: int, records: Sequence[Stored]) -> bool:
    return len(records) >= count


def ids(records: Sequence[Stored]) -> int:
    return len({value["insert_id"] for value in values(records)})


async def test_a_token_that_is_refused_is_said_and_the_exit_code_tells(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    options = AmperityOptions(accepted_keys=frozenset({"good"}), profiles=10)
    async with polled_here(kafka, topic_prefix, tmp_path, options) as polled:
        status, _, said = await polled.run("--once")
        assert (status, "status_401" in said) == (1, True)


async def test_a_dry_run_shows_what_would_be_produced_and_stores_nothing(
    polled: Polled[Amperity],
) -> None:
    status, out, said = await polled.run("--dry-run")
    assert status == 0, said
    shown = [json.loads(line) for line in out.splitlines()]
    assert len({value["user_id"] for value in shown}) == PROFILES
    assert await polled.produced() == []
