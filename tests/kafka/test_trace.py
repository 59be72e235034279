"""Where is my event? Answered from a real Kafka."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ampgate.trace import NEEDLES_MAX, ByInsertId, ByUser, Search, Sought, partition_of, trace
from ampgate.whereabouts import State
from consumers.commit_notes import CommitNote, encoded
from consumers.delivery.offsets import Unfinished
from schemas.topics import Kind
from tests.conftest import Broker
from tests.operating import (
    DEADLINE_SECONDS,
    Message,
    Operation,
    after,
    event,
    operation,
    set_faults,
    simulating,
)

AMPLITUDE, AAMPE = "amplitude-us", "aampe-us"


@pytest.fixture
async def here(kafka: Broker, topic_prefix: str) -> Operation:
    return await operation(kafka, topic_prefix)


@pytest.fixture
async def delivered(kafka: Broker, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Operation]:
    async with simulating("amplitude") as amplitude, simulating("aampe") as aampe:
        world = await operation(kafka, topic_prefix, amplitude, aampe)
        async with world.delivering(tmp_path):
            yield world


async def states(world: Operation, sought: Sought) -> dict[tuple[str, str], State]:
    """By destination and insert_id."""
    found = await trace(world.config, Search(sought))
    return {(one.destination, one.insert_id): one.state for one in found}


async def test_what_the_delivery_did_with_each_record_is_known(delivered: Operation) -> None:
    topic = delivered.config.kafka.topics.events
    anonymous = Message(b'{"event_type":"Seen","device_id":"tablet","insert_id":"s"}', b"tablet")
    broken = Message(b'{"event_type":"Bought","insert_id":"x"}', b"ann")
    await delivered.produce(topic, [event("ann", insert_id="a"), broken, anonymous])

    async with asyncio.timeout(DEADLINE_SECONDS):
        unsettled = {State.UNREAD, State.WAITING}
        while unsettled & set((ann := await states(delivered, ByUser("ann"))).values()):
            pass  # Asking is waiting: each look goes to Kafka.
        while unsettled & set((tablet := await states(delivered, ByUser("tablet"))).values()):
            pass

    assert ann == {
        (AMPLITUDE, "a"): State.DELIVERED,
        (AAMPE, "a"): State.DELIVERED,
        (AMPLITUDE, "x"): State.DEAD,
        (AAMPE, "x"): State.DEAD,
    }
    assert tablet == {(AMPLITUDE, "s"): State.DELIVERED, (AAMPE, "s"): State.SKIPPED}


async def test_what_was_delivered_past_a_throttled_user_is_delivered(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    neighbours = [name for name in map("user-{}".format, range(20)) if partition_of(name, 3) == 0]
    held, other, *_ = neighbours
    throttle = {"match": {"id": held}, "effect": {"kind": "throttle", "seconds": 30}}
    async with simulating("amplitude") as amplitude, simulating("aampe") as aampe:
        world = await operation(kafka, topic_prefix, amplitude, aampe)
        await set_faults(amplitude, throttle)
        events = [event(held, insert_id="h1"), event(held, insert_id="h2"), event(other)]
        *_, last = await world.produce(world.config.kafka.topics.events, events)
        async with world.delivering(tmp_path), asyncio.timeout(DEADLINE_SECONDS):
            while (await states(world, ByUser(other)))[AMPLITUDE, last] != State.DELIVERED:
                pass  # Asking is waiting.
            found = await trace(world.config, Search(ByUser(held)))
            by_id = await trace(world.config, Search(ByInsertId("h2")))

    assert by_id == [one for one in found if one.insert_id == "h2"]
    first, second = [one for one in found if one.destination == AMPLITUDE]
    assert (first.state, first.reason) == (State.WAITING, "throttled")
    assert first.until is not None
    assert replace(second, insert_id="h1", offset=first.offset) == first


async def test_what_is_over_its_quota_is_parked_until_its_wake_time(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    quota = {"match": {"id": "ann"}, "effect": {"kind": "daily_quota"}}
    async with simulating("amplitude") as amplitude, simulating("aampe") as aampe:
        world = await operation(kafka, topic_prefix, amplitude, aampe)
        await set_faults(amplitude, quota)
        await world.produce(world.config.kafka.topics.events, [event("ann", insert_id="a")])
        async with world.delivering(tmp_path), asyncio.timeout(DEADLINE_SECONDS):
            while not (parked := await world.stored(world.config.kafka.topics.parked)):
                pass  # Asking is waiting.
            while (await states(world, ByUser("ann")))[AAMPE, "a"] != State.DELIVERED:
                pass
            found = await trace(world.config, Search(ByInsertId("a")))

    waiting, _ = found
    assert (waiting.destination, waiting.state) == (AMPLITUDE, State.WAITING)
    assert (waiting.reason, waiting.until) == ("daily_quota", parked[0].header("not_before"))


async def test_what_a_destination_rejected_is_dead_there_alone(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    silence = {"match": {"id": "phone"}, "effect": {"kind": "silence"}}
    async with simulating("amplitude") as amplitude, simulating("aampe") as aampe:
        world = await operation(kafka, topic_prefix, amplitude, aampe)
        await set_faults(amplitude, silence)
        doomed = event("ann", device_id="phone", insert_id="a")
        await world.produce(world.config.kafka.topics.events, [doomed])
        async with world.delivering(tmp_path), asyncio.timeout(DEADLINE_SECONDS):
            while (await states(world, ByUser("ann"))) != {
                (AMPLITUDE, "a"): State.DEAD,
                (AAMPE, "a"): State.DELIVERED,
            }:
                pass  # Asking is waiting.
            dead, _ = await trace(world.config, Search(ByUser("ann")))

    assert dead.reason == "silenced"


async def test_what_came_after_the_delivery_left_is_unread(
    kafka: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    async with simulating("amplitude") as amplitude, simulating("aampe") as aampe:
        world = await operation(kafka, topic_prefix, amplitude, aampe)
        topic = world.config.kafka.topics.events
        await world.produce(topic, [event("ann", insert_id="a")])
        async with world.delivering(tmp_path), asyncio.timeout(DEADLINE_SECONDS):
            while set((await states(world, ByUser("ann"))).values()) != {State.DELIVERED}:
                pass  # Asking is waiting.
        await world.produce(topic, [event("ann", insert_id="b")])

    assert await states(world, ByUser("ann")) == {
        (AMPLITUDE, "a"): State.DELIVERED,
        (AAMPE, "a"): State.DELIVERED,
        (AMPLITUDE, "b"): State.UNREAD,
        (AAMPE, "b"): State.UNREAD,
    }


async def test_what_no_destination_ever_read_is_unread(here: Operation) -> None:
    await here.produce(here.config.kafka.topics.events, [event("ann", insert_id="a")])

    assert await states(here, ByInsertId("a")) == {
        (AMPLITUDE, "a"): State.UNREAD,
        (AAMPE, "a"): State.UNREAD,
    }


async def test_what_waits_says_why_and_until_when(here: Operation) -> None:
    topics = here.config.kafka.topics
    flying, held, unread = await here.produce(
        topics.events, [event("ann", insert_id=name) for name in ("flying", "held", "unread")]
    )
    until = "2026-01-01T00:00:30.000Z"
    committed, waits_at, read_to = (int(one.rsplit("/", 1)[1]) for one in (flying, held, unread))
    left = Unfinished(read_to, [(committed, waits_at)])
    note = encoded(CommitNote(left, None, {waits_at: ("throttled", until)}), committed)
    await here.commit(topics.group_id(AMPLITUDE, Kind.EVENT), flying, note)

    found = await trace(here.config, Search(ByUser("ann")))
    assert [
        (one.insert_id, one.state, one.reason, one.until)
        for one in found
        if one.destination == AMPLITUDE
    ] == [
        ("flying", State.WAITING, "in_flight", None),
        ("held", State.WAITING, "throttled", until),
        ("unread", State.UNREAD, None, None),
    ]


async def test_a_parked_record_waits_until_its_group_has_settled_it(here: Operation) -> None:
    topics = here.config.kafka.topics
    (origin,) = await here.produce(topics.events, [event("ann", insert_id="a")])
    await here.commit(topics.group_id(AMPLITUDE, Kind.EVENT), after(origin))
    headers = {
        "destination": AMPLITUDE,
        "reason": "daily_quota",
        "origin": origin,
        "not_before": "2026-01-01T01:00:00.000Z",
    }
    (parked,) = await here.produce(topics.parked, [replace(event("ann"), headers=headers)])

    waiting = await trace(here.config, Search(ByInsertId("a")))
    assert [(one.state, one.reason, one.until) for one in waiting] == [
        (State.WAITING, "daily_quota", "2026-01-01T01:00:00.000Z"),
        (State.UNREAD, None, None),
    ]

    await here.commit(topics.group_id(AMPLITUDE, Kind.EVENT), after(parked))
    assert (await states(here, ByInsertId("a")))[AMPLITUDE, "a"] == State.DELIVERED


async def test_a_record_without_key_or_insert_id_is_found(here: Operation) -> None:
    keyless = Message(event("ann").value)
    (place,) = await here.produce(here.config.kafka.topics.events, [keyless])

    assert set(await states(here, ByInsertId(place))) == {(AMPLITUDE, place), (AAMPE, place)}
    found = await trace(here.config, Search(ByUser("ann"), everywhere=True))
    assert {one.insert_id for one in found} == {place}


@pytest.mark.parametrize("spelled", ["plain-1", "a/b", "größe", 'quo"te'])
async def test_an_insert_id_is_found_however_it_is_written(here: Operation, spelled: str) -> None:
    values = [
        json.dumps(
            {"event_type": "x", "user_id": "ann", "insert_id": spelled}, ensure_ascii=escaped
        )
        for escaped in (True, False)
    ]
    values.append(values[0].replace("/", "\\/"))
    topic = here.config.kafka.topics.events
    await here.produce(topic, [Message(value.encode(), b"ann") for value in values])

    found = await trace(here.config, Search(ByInsertId(spelled)))
    assert len([one for one in found if one.destination == AMPLITUDE]) == 3


async def test_only_records_since_then_are_shown(here: Operation) -> None:
    old = replace(event("ann", insert_id="old"), timestamp_ms=1_000)
    new = replace(event("ann", insert_id="new"), timestamp_ms=2_000)
    await here.produce(here.config.kafka.topics.events, [old, new])

    found = await trace(here.config, Search(ByUser("ann"), since_ms=2_000))
    assert {one.insert_id for one in found} == {"new"}


async def test_what_the_edge_refused_is_dead_at_the_edge(here: Operation) -> None:
    headers = {"destination": "edge", "reason": "missing_event_type", "origin": "edge"}
    value = b'{"user_id":"ann","insert_id":"a"}'
    (place,) = await here.produce(
        here.config.kafka.topics.dead_letters, [Message(value, headers=headers)]
    )

    for sought in (ByUser("ann"), ByInsertId("a")):
        (found,) = await trace(here.config, Search(sought))
        assert (found.destination, found.state) == ("edge", State.DEAD)
        assert (found.reason, f"{found.topic}/{found.partition}/{found.offset}") == (
            "missing_event_type",
            place,
        )


async def test_one_dead_record_of_many_is_found(here: Operation) -> None:
    topics = here.config.kafka.topics
    names = [str(number) for number in range(NEEDLES_MAX + 10)]
    places = await here.produce(topics.events, [event("ann", insert_id=name) for name in names])
    headers = {"destination": AAMPE, "reason": "invalid_field", "origin": places[7]}
    await here.produce(topics.dead_letters, [replace(event("ann"), headers=headers)])

    found = await trace(here.config, Search(ByUser("ann")))
    assert [(one.insert_id, one.destination) for one in found if one.state == State.DEAD] == [
        (names[7], AAMPE)
    ]
    assert len(found) == 2 * len(names)


async def test_the_command_prints_what_was_promised(here: Operation, tmp_path: Path) -> None:
    (place,) = await here.produce(here.config.kafka.topics.events, [event("ann", insert_id="a")])
    topic, partition, offset = place.rsplit("/", 2)

    ran = await here.run(tmp_path, "trace", "--insert-id", "a", "--json")
    assert [json.loads(line) for line in ran.stdout.splitlines()] == [
        {
            "insert_id": "a",
            "topic": topic,
            "partition": int(partition),
            "offset": int(offset),
            "destination": destination,
            "state": "unread",
            "reason": None,
            "until": None,
        }
        for destination in (AMPLITUDE, AAMPE)
    ]
    in_words = await here.run(tmp_path, "trace", "--user", "ann", "--since", "1h")
    assert [line.split()[:3] for line in in_words.stdout.splitlines()] == [
        ["unread", AMPLITUDE, place],
        ["unread", AAMPE, place],
    ]


async def test_no_such_record_is_exit_1_and_no_question_exit_2(
    here: Operation, tmp_path: Path
) -> None:
    assert (await here.run(tmp_path, "trace", "--user", "nobody")).exit_code == 1
    for wrong in ([], ["--user", "a", "--insert-id", "b"], ["--user", "a", "--since", "soon"]):
        assert (await here.run(tmp_path, "trace", *wrong)).exit_code == 2
