"""A time span is sent to one destination again: planned, confirmed, in order, no group moved."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ampgate.archive.archive import archive
from ampgate.trace.trace import ByUser, partition_of
from ampgate.trace.whereabouts import State
from schemas.topics import Kind
from tests.eventually import seen
from tests.operating import (
    AAMPE,
    AMPLITUDE,
    Message,
    Operation,
    event,
    received,
)

OLD_MS = 1_577_836_800_000  # 2020-01-01.
OLD = ("--from", "2020-01-01", "--to", "2020-01-02T00:00:00Z")


def at(message: Message, second: int) -> Message:
    return replace(message, timestamp_ms=OLD_MS + second * 1000)


async def settled(world: Operation, kind: Kind, messages: Sequence[Message]) -> list[str]:
    """Stored, and taken by both destinations: their places."""
    topics = world.config.kafka.topics
    places = await world.produce(topics.of(kind), messages)
    async with archive(world.config.kafka) as kafka:
        ends = await kafka.spans(topics.of(kind))
    for destination in (AMPLITUDE, AAMPE):
        for end in ends:
            place = f"{end.topic}/{end.partition}/{end.end}"
            await world.commit(topics.group_id(destination, kind), place)
    return places


async def parked_origins(world: Operation) -> list[str | None]:
    return [one.header("origin") for one in await world.stored(world.config.kafka.topics.parked)]


async def plan(world: Operation, directory: Path, *arguments: str) -> dict[str, object]:
    ran = await world.run(directory, "replay", *arguments, "--dry-run", "--json")
    assert ran.exit_code == 0, ran.output
    told: dict[str, object] = json.loads(ran.stdout)
    return told


async def test_the_plan_says_what_would_count_twice(here: Operation, tmp_path: Path) -> None:
    update = Message(b'{"user_id":"ann","user_properties":{"$add":{"n":1}}}', b"ann")
    anonymous = Message(b'{"event_type":"Seen","device_id":"tablet"}', b"tablet")
    await settled(here, Kind.EVENT, [at(event("ann"), 0), event("ann"), anonymous])
    await settled(here, Kind.USER_PROPERTIES, [at(update, 0)])
    await here.produce(here.config.kafka.topics.events, [event("ann")])
    all_times = ("--from", "2020-01-01", "--to", "2100-01-01")

    told = await plan(here, tmp_path, "--destination", AMPLITUDE, *all_times)
    told.pop("run")
    assert told == {
        "destination": AMPLITUDE,
        "matching": 5,
        "to_send": 4,
        "outside_dedupe_window": 1,
        "never_deduped": 1,
        "not_taken": 0,
        "not_yet_delivered": 1,
        "sent_before": 0,
    }
    told = await plan(here, tmp_path, "--destination", AAMPE, *all_times)
    assert (told["to_send"], told["never_deduped"], told["not_taken"]) == (2, 2, 2)
    assert await parked_origins(here) == []


async def test_a_user_s_records_are_parked_in_their_order(here: Operation, tmp_path: Path) -> None:
    messages = [at(event(f"user-{n % 7}", event_properties={"n": n}), n) for n in range(1200)]
    places = await settled(here, Kind.EVENT, messages)
    before = await committed(here)

    ran = await here.run(tmp_path, "replay", "--destination", AMPLITUDE, *OLD, "--yes")
    assert ran.exit_code == 0
    assert "COUNT TWICE" in ran.stdout
    parked = await here.stored(here.config.kafka.topics.parked)
    assert sorted(places) == sorted(one.header("origin") or "" for one in parked)
    assert {(one.header("destination"), one.header("reason")) for one in parked} == {
        (AMPLITUDE, "replay")
    }
    for user in {one.key for one in parked}:
        numbers = [
            json.loads(one.value or b"")["event_properties"]["n"]
            for one in parked
            if one.key == user
        ]
        assert numbers == sorted(numbers)
    assert {one.partition for one in parked if one.key == b"user-1"} == {partition_of("user-1", 3)}
    assert await committed(here) == before


async def committed(world: Operation) -> list[object]:
    topics = world.config.kafka.topics
    async with archive(world.config.kafka) as kafka:
        return [
            await kafka.committed(topics.group_id(name, Kind.EVENT), topics.events)
            for name in (AMPLITUDE, AAMPE)
        ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--user", "ann"), [0, 2]),
        (("--event-type", "Seen"), [2]),
        (("--user", "ann", "--event-type", "Bought"), [0]),
        (("--from", "2020-01-01T00:00:01", "--to", "2020-01-01T00:00:02"), [1]),
    ],
)
async def test_only_chosen_records_are_sent(
    here: Operation, tmp_path: Path, arguments: tuple[str, ...], expected: list[int]
) -> None:
    seen = Message(b'{"event_type":"Seen","user_id":"ann"}')  # A service may leave out the key.
    messages = [at(event("ann"), 0), at(event("bob"), 1), at(seen, 2)]
    places = await settled(here, Kind.EVENT, messages)

    given = ("--destination", AMPLITUDE, *OLD, *arguments, "--yes")
    assert (await here.run(tmp_path, "replay", *given)).exit_code == 0
    assert sorted(str(one) for one in await parked_origins(here)) == sorted(
        places[index] for index in expected
    )


async def test_nothing_is_sent_unless_the_operator_agrees(here: Operation, tmp_path: Path) -> None:
    (place,) = await settled(here, Kind.EVENT, [at(event("ann"), 0)])
    command = ("replay", "--destination", AMPLITUDE, *OLD)

    status, said = await here.run_at_terminal(tmp_path, *command, answer="n\n")
    assert (status, "Send 1 records" in said) == (1, True)
    assert await parked_origins(here) == []
    status, _ = await here.run_at_terminal(tmp_path, *command, answer="y\n")
    assert status == 0
    assert await parked_origins(here) == [place]


async def test_a_script_is_not_asked(here: Operation, tmp_path: Path) -> None:
    (place,) = await settled(here, Kind.EVENT, [at(event("ann"), 0)])

    ran = await here.run(tmp_path, "replay", "--destination", AMPLITUDE, *OLD, "--json")
    assert (ran.exit_code, json.loads(ran.stdout)["to_send"]) == (0, 1)
    assert await parked_origins(here) == [place]


async def test_what_waits_to_be_sent_again_is_not_sent_twice(
    here: Operation, tmp_path: Path
) -> None:
    await settled(here, Kind.EVENT, [at(event("ann"), 0)])
    command = ("--destination", AMPLITUDE, *OLD)
    await here.run(tmp_path, "replay", *command, "--yes")

    told = await plan(here, tmp_path, *command)
    assert (told["to_send"], told["not_yet_delivered"]) == (0, 1)


async def test_an_interrupted_run_goes_on_with_the_rest(here: Operation, tmp_path: Path) -> None:
    places = await settled(here, Kind.EVENT, [at(event("ann"), n) for n in range(3)])
    run = "2026-01-01T00:00:00.000Z"
    about = {"destination": AMPLITUDE, "origin": places[0], "replayed_at": run}
    await here.produce(here.config.kafka.topics.parked, [replace(event("ann"), headers=about)])

    command = ("--destination", AMPLITUDE, *OLD, "--resume", run)
    told = await plan(here, tmp_path, *command)
    assert (told["to_send"], told["sent_before"], told["run"]) == (2, 1, run)
    await here.run(tmp_path, "replay", *command, "--yes")
    assert await parked_origins(here) == places
    parked = await here.stored(here.config.kafka.topics.parked)
    assert {one.header("replayed_at") for one in parked} == {run}


@pytest.mark.parametrize(
    ("spelled", "span"),
    [
        ("2020-01-01T01:00:00.000Z", OLD),
        ("2020-01-01T01:00+00:00", OLD),
        ("2020-01-01T01:00:00.000Z", ("--from", "1h", "--to", "now")),  # Before it began.
    ],
)
async def test_a_run_is_resumed_however_its_moments_are_written(
    here: Operation, tmp_path: Path, spelled: str, span: Sequence[str]
) -> None:
    (place,) = await settled(here, Kind.EVENT, [at(event("ann"), 0)])
    run = {"replayed_at": "2020-01-01T01:00:00.000Z", "destination": AMPLITUDE, "origin": place}
    await here.produce(here.config.kafka.topics.parked, [replace(event("ann"), headers=run)])

    told = await plan(here, tmp_path, "--destination", AMPLITUDE, *span, "--resume", spelled)
    assert (told["to_send"], told["sent_before"]) == (0, 1)


async def test_a_run_that_nobody_knows_is_not_begun_anew(here: Operation, tmp_path: Path) -> None:
    await settled(here, Kind.EVENT, [at(event("ann"), 0)])

    command = ("--destination", AMPLITUDE, *OLD, "--resume", "2026-07-01T12:00:00.000Z", "--yes")
    assert (await here.run(tmp_path, "replay", *command)).exit_code == 2
    assert await parked_origins(here) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("--destination", "nowhere", *OLD),
        ("--destination", AMPLITUDE, "--from", "2020-01-02", "--to", "2020-01-01"),
        ("--destination", AMPLITUDE, "--from", "yesterday", "--to", "1h"),
    ],
)
async def test_wrong_usage_is_exit_2(
    here: Operation, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert (await here.run(tmp_path, "replay", *arguments)).exit_code == 2


async def test_the_delivery_sends_it_again_to_that_destination_alone(
    simulated: Operation, tmp_path: Path
) -> None:
    topic = simulated.config.kafka.topics.events
    await simulated.produce(topic, [event("ann", event_properties={"n": n}) for n in range(5)])
    async with simulated.delivering(tmp_path):
        await until_settled(simulated, "ann")
        command = ("--destination", AAMPE, "--from", "1h", "--to", "2100-01-01", "--yes")
        assert (await simulated.run(tmp_path, "replay", *command)).exit_code == 0
        at_aampe = partial(received, simulated.url(AAMPE))
        twice = await seen(at_aampe, lambda found: len(found) >= 10)
        await until_settled(simulated, "ann")
        once = await received(simulated.url(AMPLITUDE))

    numbers = [one["metadata"]["n"] for one in twice]
    assert numbers == [0, 1, 2, 3, 4] * 2
    assert len({json.dumps(one, sort_keys=True) for one in twice}) == 5
    assert len(once) == 5


async def until_settled(world: Operation, user: str) -> None:
    settled = {State.DELIVERED, State.DEAD, State.SKIPPED}
    await seen(
        partial(world.states, ByUser(user)), lambda found: set() < set(found.values()) <= settled
    )
