"""Odd records and failures of ours beside good events: nothing else stops."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

from aiokafka import AIOKafkaProducer
from prometheus_client import REGISTRY

from consumers.deliveries import Deliveries
from consumers.delivery.lanes import Letter
from consumers.kafka.letters import Letters
from schemas.configuration.config import Config
from tests.eventually import seen
from tests.kafka.delivery_world import World, event
from tests.operating import AAMPE, AMPLITUDE, Operation

EVENTS = 600
USERS = 17
Odd = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
DIGITS = b"9" * 5000
DEAD: Sequence[Odd] = [
    (b"u", b'{"event_type":"x","user_id":"u","timezone":1e999}', ()),
    (b"u", b'{"event_type":"x","user_id":"u","time":1e999}', ()),
    (b"u", b"\xff\xfe", ()),
    (b"u", b"[" * 5000, ()),
    (b"u", None, ()),
    (b"\xff", b'{"event_type":"x","user_id":"u"}', ()),
]
PARKED: Sequence[Odd] = [
    (b"p", event(1, 1)[1], [("attempts", DIGITS), ("not_before", b"9999-12-31T23:59:59Z")]),
    (b"p", None, [("status", DIGITS), ("origin", b"x/" + DIGITS + b"/1")]),
    (None, b"{", [("destination", None), ("reason", b"\xff"), ("first_failed_at", DIGITS)]),
]


async def produce(config: Config, topic: str, records: Sequence[Odd]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka.bootstrap_servers)
    async with producer:
        for key, value, headers in records:
            await producer.send_and_wait(topic, key=key, value=value, headers=headers, partition=0)


class FailingOnce(Letters):
    """The writer of one destination's letters raises an exception that no code expects."""

    has_failed = False

    async def dead_letter(self, letter: Letter, destination: str) -> bool:
        if destination == AAMPE and not self.has_failed:
            self.has_failed = True
            raise RuntimeError("nobody foresaw this")
        return await super().dead_letter(letter, destination)


@asynccontextmanager
async def delivering(config: Config, letters: Letters) -> AsyncIterator[Deliveries]:
    """As the process does."""
    await letters.start()
    deliveries = Deliveries(letters, ())
    try:
        async with asyncio.TaskGroup() as tasks:
            await deliveries.apply(config, tasks)
            yield deliveries
            await deliveries.stop(config)
    finally:
        await letters.stop()


def restarts(destination: str) -> float:
    labels = {"destination": destination}
    return REGISTRY.get_sample_value("ampgate_delivery_restarts_total", labels) or 0.0


async def arrived(world: World) -> dict[str, dict[str, list[int]]]:
    """By destination and user, in order."""
    found: dict[str, dict[str, list[int]]] = {}
    for kind, properties, owner in (
        ("amplitude", "event_properties", "user_id"),
        ("aampe", "metadata", "contact_id"),
    ):
        numbers: defaultdict[str, list[int]] = defaultdict(list)
        for record in await world.received(kind):
            if "n" in record.get(properties, {}):
                numbers[record[owner]].append(record[properties]["n"])
        found[kind] = numbers
    return found


def is_complete(found: Mapping[str, Mapping[str, Sequence[int]]]) -> bool:
    return all(sum(map(len, numbers.values())) >= EVENTS for numbers in found.values())


async def test_odd_records_are_dead_letters_with_their_origin_and_the_rest_arrives_in_order(
    world: World,
) -> None:
    topics = world.config.kafka.topics
    good = [event(n % USERS, n) for n in range(EVENTS)]
    await produce(world.config, topics.parked, PARKED)
    await world.produce(topics.events, good[: EVENTS // 2])
    await produce(world.config, topics.events, DEAD)
    await world.produce(topics.events, good[EVENTS // 2 :])
    before = restarts(AMPLITUDE), restarts(AAMPE)

    async with delivering(world.config, Letters(world.config.kafka)) as deliveries:
        await seen(partial(arrived, world), is_complete)
        letters = await world.dead_letters(
            2 * len(DEAD) - 1
        )  # Amplitude takes a timezone of 1e999.
        assert not any(worker.is_stuck for worker in deliveries.workers)

    for destination in (AMPLITUDE, AAMPE):
        origins = {one["origin"] for one in letters if one["destination"] == destination}
        assert len(origins) >= len(DEAD) - 1
        assert {origin.rsplit("/", 1)[0] for origin in origins} == {f"{topics.events}/0"}
    for numbers in (await arrived(world)).values():
        assert sum(map(len, numbers.values())) == EVENTS
        assert all(found == sorted(found) for found in numbers.values())
    assert (restarts(AMPLITUDE), restarts(AAMPE)) == before


async def test_answers_that_are_not_the_destinations_deliver_nothing_and_make_no_dead_letter(
    world: World,
) -> None:
    topics = world.config.kafka.topics
    strange = [(200, "<html>Sign in</html>"), (402, ""), (407, "<html>"), (200, '{"code":500}')]
    for kind in ("amplitude", "aampe"):
        answers = [{"kind": "answer", "status": status, "body": body} for status, body in strange]
        await world.set_faults(kind, *({"times": 1, "effect": answer} for answer in answers))
    await world.produce(topics.events, [event(n % USERS, n) for n in range(EVENTS)])

    async with delivering(world.config, Letters(world.config.kafka)):
        await seen(partial(arrived, world), is_complete)

    for numbers in (await arrived(world)).values():
        assert sum(map(len, numbers.values())) == EVENTS
        assert all(found == sorted(found) for found in numbers.values())
    assert await Operation(world.config).stored(topics.dead_letters) == []


async def test_what_nobody_foresaw_restarts_one_worker_and_the_other_does_not_notice(
    world: World,
) -> None:
    topics = world.config.kafka.topics
    await world.produce(topics.events, [event(n % USERS, n) for n in range(EVENTS)])
    await produce(world.config, topics.events, DEAD[:1])
    before = restarts(AMPLITUDE), restarts(AAMPE)

    async with delivering(world.config, FailingOnce(world.config.kafka)):
        await seen(partial(arrived, world), is_complete)
        await world.dead_letters(1)

    assert (restarts(AMPLITUDE), restarts(AAMPE)) == (before[0], before[1] + 1)
    for numbers in (await arrived(world)).values():
        assert all(found == sorted(found) for found in numbers.values())
