"""Amplitude at its worst, on a real Kafka: nothing lost, nobody held up, nothing out of order.

`AMPGATE_TEST_EVENTS=60000 AMPGATE_TEST_PHASE_SECONDS=60` makes it as long as production can be.
"""

import json
import os
from collections import defaultdict
from functools import partial

import pytest

from tests.eventually import seen
from tests.kafka.delivery_world import Clock, World

EVENTS = int(os.environ.get("AMPGATE_TEST_EVENTS", "20000"))
PHASE_SECONDS = float(os.environ.get("AMPGATE_TEST_PHASE_SECONDS", "8"))
USERS = EVENTS // 20
HOT, OVER_QUOTA = "user-1", "user-2"  # Each with its own faults.
PAD = "x" * 500
HOUR_SECONDS = 3600.0


def event(n: int) -> tuple[bytes, bytes]:
    user = f"user-{n % USERS}"
    value = {
        "event_type": "Bought",
        "user_id": user,
        "device_id": "poisoned" if is_poisoned(n) else f"device-{n % USERS}",
        "event_properties": {"n": n, "pad": PAD},
    }
    return user.encode(), json.dumps(value).encode()


def is_poisoned(n: int) -> bool:
    return n % 100 == 7


async def test_every_good_event_arrives_in_order_and_every_bad_one_is_dead(world: World) -> None:
    topics = world.config.kafka.topics
    quota = {"kind": "daily_quota", "ids": [OVER_QUOTA], "seconds": 1.0}
    await world.set_faults(
        "amplitude",
        {"from_seconds": 4, "for_seconds": PHASE_SECONDS, "effect": answer(401)},
        {"effect": {"kind": "max_body_bytes", "bytes": 500_000}},
        {"effect": {"kind": "silence", "ids": ["poisoned"]}},
        {"match": {"id": HOT}, "times": 1, "effect": {"kind": "throttle", "seconds": 25.0}},
        {"match": {"id": OVER_QUOTA}, "effect": quota},
        # Last, since a reset is the end of a script.
        {"probability": 0.025, "effect": {"kind": "reset", "when": "before"}},
        {"probability": 0.025, "effect": {"kind": "reset", "when": "after"}},
    )
    bad = {n for n in range(EVENTS) if is_poisoned(n)}
    waiting = {n for n in range(EVENTS) if n % USERS == 2} - bad
    clock = Clock()
    first_half = EVENTS // 2
    await world.produce(topics.events, [event(n) for n in range(first_half)])
    async with world.delivering(clock):
        async with world.delivering(clock):  # A second process joins and leaves.
            await world.until_accepted("amplitude", first_half // 4)
        await world.produce(topics.events, [event(n) for n in range(first_half, EVENTS)])
        await world.until_accepted("amplitude", EVENTS // 2)
    async with world.delivering(clock):  # And the first one was restarted.
        await world.until_accepted("amplitude", EVENTS - len(bad) - len(waiting))
        parked = await world.letters(topics.parked, len(waiting))
        letters = await world.dead_letters(len(bad))
        await world.set_faults("amplitude", {"effect": {"kind": "silence", "ids": ["poisoned"]}})
        clock.ahead_seconds = HOUR_SECONDS
        await world.until_accepted("amplitude", EVENTS - len(bad))

    arrived: defaultdict[str, list[int]] = defaultdict(list)
    for received in await world.received("amplitude"):
        arrived[received["user_id"]].append(received["event_properties"]["n"])
    stats = await world.stats("amplitude")
    assert sorted(n for numbers in arrived.values() for n in numbers) == sorted(
        set(range(EVENTS)) - bad
    )
    assert all(numbers == sorted(numbers) for numbers in arrived.values())
    assert stats["violations"] == []
    assert {letter["reason"] for letter in letters} == {"silenced"}
    assert {letter["value"].encode() for letter in letters} == {event(n)[1] for n in bad}
    assert {letter["reason"] for letter in parked} == {"daily_quota"}
    assert {letter["not_before"][14:] for letter in parked} == {"00:00.000Z"}


def answer(status: int) -> dict[str, object]:
    return {"kind": "answer", "status": status, "body": ""}


async def test_who_is_over_quota_waits_in_kafka_while_others_go_by(world: World) -> None:
    """Also what comes after, also over a restart, in order."""
    topics = world.config.kafka.topics
    quota = {"kind": "daily_quota", "ids": [OVER_QUOTA], "seconds": 1.0}
    await world.set_faults("amplitude", {"times": 1, "effect": quota})
    clock = Clock()

    async with world.delivering(clock):
        await world.produce(topics.events, [event(n) for n in (2, 3, 2 + USERS)])
        await world.until_accepted("amplitude", 1)
        await world.letters(topics.parked, 2)
    async with world.delivering(clock):
        await world.produce(topics.events, [event(2 + 2 * USERS), event(4)])
        await world.until_accepted("amplitude", 2)
        await world.letters(topics.parked, 3)
        clock.ahead_seconds = HOUR_SECONDS
        await world.until_accepted("amplitude", 5)

    received = [record["event_properties"]["n"] for record in await world.received("amplitude")]
    assert received[:2] == [3, 4]
    assert received[2:] == [2, 2 + USERS, 2 + 2 * USERS]


async def test_who_is_parked_wakes_in_time_though_the_clock_was_set_back(world: World) -> None:
    """By an hour, while nobody delivered: the user waits for no longer than was meant."""
    topics = world.config.kafka.topics
    quota = {"kind": "daily_quota", "ids": [OVER_QUOTA], "seconds": 1.0}
    await world.set_faults("amplitude", {"times": 1, "effect": quota})
    clock = Clock()

    async with world.delivering(clock):
        await world.produce(topics.events, [event(2), event(2 + USERS)])
        await world.letters(topics.parked, 2)
    clock.ahead_seconds = -HOUR_SECONDS
    async with world.delivering(clock):
        await world.produce(topics.events, [event(3)])
        await world.until_accepted("amplitude", 1)
        clock.ahead_seconds = 1.0  # It was set back by an hour.
        await world.until_accepted("amplitude", 3)

    received = [record["event_properties"]["n"] for record in await world.received("amplitude")]
    assert received == [3, 2, 2 + USERS]


@pytest.mark.parametrize(
    "retry_after", ["9" * 60, "1763715600125", "Fri, 31 Dec 9999 23:59:59 GMT"]
)
async def test_a_wait_that_cannot_be_meant_is_ignored(world: World, retry_after: str) -> None:
    """The user waits as without it; nobody else does."""
    topics = world.config.kafka.topics
    told = {"throttled_users": {HOT: 31}, "throttled_events": [0]}
    for_ever = {**answer(429), "headers": {"retry-after": retry_after}, "body": json.dumps(told)}
    away = {**answer(503), "headers": {"retry-after": retry_after}}
    of_hot = {"match": {"id": HOT}, "times": 1, "effect": for_ever}
    await world.set_faults("amplitude", {"times": 1, "effect": away}, of_hot)
    clock = Clock()

    async with world.delivering(clock):
        await world.produce(topics.events, [event(1)])
        await seen(partial(world.stats, "amplitude"), lambda told: told["faults_applied"] == 2)
        await world.produce(topics.events, [event(3)])
        await world.until_accepted("amplitude", 1)
        clock.ahead_seconds = 31
        await world.until_accepted("amplitude", 2)
    received = [record["event_properties"]["n"] for record in await world.received("amplitude")]
    assert received == [3, 1]
