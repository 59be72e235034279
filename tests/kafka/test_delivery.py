"""Delivery from a real Kafka to both strict simulators."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from tests.kafka.delivery_world import World, event


def in_order(numbers: Mapping[str, Sequence[int]]) -> bool:
    return all(list(found) == sorted(found) for found in numbers.values())


async def test_what_a_service_produces_arrives_once_and_in_order(world: World) -> None:
    await world.produce(world.config.kafka.topics.events, [event(n % 17, n) for n in range(3000)])
    async with world.delivering():
        await world.until_accepted("amplitude", 3000)
        await world.until_accepted("aampe", 3000)

    for kind, properties, owner in (
        ("amplitude", "event_properties", "user_id"),
        ("aampe", "metadata", "contact_id"),
    ):
        numbers: defaultdict[str, list[int]] = defaultdict(list)
        for record in await world.received(kind):
            numbers[record[owner]].append(record[properties]["n"])
        stats = await world.stats(kind)
        assert in_order(numbers)
        assert sum(map(len, numbers.values())) == 3000
        assert (stats["distinct_insert_ids"], stats["violations"]) == (3000, [])


async def test_garbage_becomes_dead_letters_and_nothing_else_stops(world: World) -> None:
    topic = world.config.kafka.topics.events
    garbage: list[tuple[bytes | None, bytes | None]] = [
        (b"a", b"not json"),
        (b"a", None),
        (b"another", event(1, 1)[1]),
        (b"a", b'{"event_type":"x"}'),
        (b"a", b"[" * 100_000),
    ]
    await world.produce(topic, [event(1, 0), *garbage, event(1, 2)])
    async with world.delivering():
        await world.until_accepted("amplitude", 2)
        await world.until_accepted("aampe", 2)
        letters = await world.dead_letters(2 * len(garbage))

    reasons = sorted(
        letter["reason"] for letter in letters if letter["destination"] == "amplitude-us"
    )
    assert reasons == ["missing_id", "not_json", "tombstone", "too_deep", "wrong_key"]
    assert {letter["origin"].rsplit("/", 2)[0] for letter in letters} == {topic}
    assert "not json" in {letter["value"] for letter in letters}


async def test_resets_errors_and_throttled_users_lose_and_reorder_nothing(world: World) -> None:
    await world.set_faults(
        "amplitude",
        {"probability": 0.2, "effect": {"kind": "reset", "when": "after"}},
        {"probability": 0.2, "effect": {"kind": "answer", "status": 503, "body": ""}},
        {"match": {"id": "user-3"}, "times": 2, "effect": {"kind": "throttle", "seconds": 2}},
        {"for_seconds": 2, "effect": {"kind": "answer", "status": 401, "body": ""}},
    )
    await world.produce(world.config.kafka.topics.events, [event(n % 17, n) for n in range(4000)])
    async with world.delivering():
        await world.until_accepted("amplitude", 4000)

    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for record in await world.received("amplitude"):
        numbers[record["user_id"]].append(record["event_properties"]["n"])
    assert in_order(numbers)
    assert (await world.stats("amplitude"))["distinct_insert_ids"] == 4000


async def test_a_second_delivery_goes_on_where_the_first_one_stopped(world: World) -> None:
    topic = world.config.kafka.topics.events
    await world.produce(topic, [event(n % 5, n) for n in range(500)])
    async with world.delivering():
        await world.until_accepted("amplitude", 500)
        await world.until_accepted("aampe", 500)
    await world.produce(topic, [event(n % 5, n) for n in range(500, 600)])
    async with world.delivering():
        await world.until_accepted("amplitude", 600)
        await world.until_accepted("aampe", 600)

    assert (await world.stats("amplitude"))["duplicates"] == 0
    assert (await world.stats("aampe"))["accepted"] == 600


async def test_what_went_by_while_another_waited_is_not_sent_again_by_the_next(
    world: World,
) -> None:
    """Aampe has no dedupe; Kafka's offset alone would have all of it sent again."""
    others = [event(user, user) for user in range(1, 301)]
    refused = {"match": {"id": "user-0"}, "effect": {"kind": "answer", "status": 503, "body": ""}}
    await world.set_faults("aampe", refused)
    await world.produce(world.config.kafka.topics.events, [event(0, 0), *others])
    async with world.delivering():
        await world.until_accepted("aampe", 300)
    await world.set_faults("aampe")
    async with world.delivering():
        await world.until_accepted("aampe", 301)

    contacts = [one["contact_id"] for one in await world.received("aampe")]
    assert sorted(contacts) == sorted(f"user-{user}" for user in range(301))
