"""One delivery process, and everything odd at once beside good events: records, letters, answers,
what operators do, and what Kafka does.

Each kind has tests of its own; this one holds that they do no more harm together. At the size of a
release: `AMPGATE_GOOD_EVENTS=20000 AMPGATE_KAFKA_AWAY_SECONDS=40`.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ampgate.lab.chaos.asking import ask
from ampgate.lab.kafka.kafka import EmbeddedKafka
from schemas.letters import timestamp
from schemas.topics import Kind
from tests.conftest import Broker
from tests.eventually import seen
from tests.kafka.acls import READ, WITH_ACLS, denied, until_denied
from tests.kafka.delivery_world import World, event, opened_world
from tests.kafka.everything import (
    ANSWERS,
    DESTINATIONS,
    ODD,
    ODD_HEADERS,
    faults,
    letter,
    lies,
    odd_records,
    produce_large,
    produce_transactions,
)
from tests.kafka.kafka_operations import (
    add_partitions,
    delete_below,
    produce_raw,
    uncommitted,
)
from tests.kafka.one_delivery import (
    WITHIN_SECONDS,
    Delivery,
    arrived,
    by_destination,
    delivering,
    differing,
    outcomes,
    until_arrived,
    until_quiet,
)
from tests.kafka.processes import until_answers
from tests.kafka.writing import Topic
from tests.operating import AAMPE, Operation
from tests.raw_batches import Raw

GOOD = int(os.environ.get("AMPGATE_GOOD_EVENTS", "3000"))
AWAY_SECONDS = float(os.environ.get("AMPGATE_KAFKA_AWAY_SECONDS", "2"))
USERS, LOST = 100, 55
PARKED = USERS  # A user whose only event waits in the parked topic, behind the lies;
DUE = USERS + 1  # one whose time comes while Kafka is away;
OTHERS = USERS + 2  # and one of transactions and of what retention left.
CODECS = ("none", "gzip", "zstd")
OTHER_KINDS = {"too large for its letter": 2, "a lie": 1}  # How many of each destination.


@asynccontextmanager
async def prepared(kafka: EmbeddedKafka) -> AsyncIterator[World]:
    """Aampe takes what counts as `kafka`; letters have 1 MB; and some records were lost."""
    async with opened_world(Broker(kafka.bootstrap_servers), "all.") as opened:
        destinations = [
            one.model_copy(update={"sources": ("kafka",)}) if one.name == AAMPE else one
            for one in opened.config.destinations
        ]
        config = opened.config.model_copy(update={"destinations": tuple(destinations)})
        world, topics = replace(opened, config=config), config.kafka.topics
        await Topic(config.kafka, topics.dead_letters).set(max_message_bytes="1000000")
        operation = Operation(config)
        old = [Raw(b"user-%d" % OTHERS, event(OTHERS, n)[1]) for n in range(LOST + 1)]
        await produce_raw(world, topics.events, old)
        for name in DESTINATIONS:
            for partition in range(3):
                place = f"{topics.events}/{partition}/0"
                await operation.commit(topics.group_id(name, Kind.EVENT), place)
        await delete_below(world, {(topics.events, 0): LOST})
        yield world


@pytest.mark.timeout(900)
async def test_everything_odd_at_once_harms_no_good_event(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    others = tmp_path_factory.mktemp("second")
    with EmbeddedKafka(tmp_path / "kafka", heap_megabytes=512, settings=WITH_ACLS) as kafka:
        async with prepared(kafka) as world, delivering(world, tmp_path) as first:
            stored, wanted = await go_through(world, kafka, first, others)
            await until_arrived(world, wanted)
            await until_committed(world)
            await until_quiet(first.url)
            await check_letters(world)
            for kind in ("amplitude", "aampe"):
                assert not differing(await arrived(world, kind), wanted)  # And nothing twice.
            found = await outcomes(first.url)
            assert stored == by_destination(found), found
            assert (await ask(f"{first.url}/healthz"))[0] == 200
            await until_answers(f"{first.url}/readyz", 200)
            await first.end()


async def go_through(
    world: World, kafka: EmbeddedKafka, first: Delivery, directory: Path
) -> tuple[Counter[str], Mapping[str, Sequence[int]]]:
    """All of it; returns how many records `first` has to account for, and what is to arrive."""
    topics, half = world.config.kafka.topics, GOOD // 2
    good = [event(n % USERS, n) for n in range(GOOD)]
    for kind in ("amplitude", "aampe"):
        await world.set_faults(
            kind, *faults([GOOD // len(ANSWERS) * at for at in range(len(ANSWERS))])
        )
    await park(world, PARKED, time.time(), lies(topics.events, f"user-{PARKED}"))
    await world.produce(topics.events, good[: half // 2])
    for codec in CODECS:
        await produce_raw(world, topics.events, odd_records(), codec)
    large = await produce_large(world)
    others = f"user-{OTHERS}".encode()
    await produce_transactions(world, event(OTHERS, GOOD)[1], event(OTHERS, GOOD + 1)[1], others)
    odd_headers = [
        Raw(others, event(OTHERS, GOOD + n)[1], said) for n, said in enumerate(ODD_HEADERS, 2)
    ]
    await produce_raw(world, topics.events, odd_headers)

    settled_by_second = await join_and_leave(world, directory, good[half // 2 : half])
    await reload_wrongly(first)
    await until_committed(world)  # Else Kafka's death would be a reason to send again.
    await park(world, DUE, time.time() + AWAY_SECONDS / 2)
    await asyncio.to_thread(kafka.kill, 1)
    await asyncio.sleep(AWAY_SECONDS)
    await asyncio.to_thread(kafka.restart, 1)
    async with denied(Broker(kafka.bootstrap_servers), topics.events, READ):
        await until_denied(Broker(kafka.bootstrap_servers), topics.events)
    await until_answers(f"{first.url}/readyz", 200)
    for topic in (topics.events, topics.parked):
        await add_partitions(world, topic)
    await world.produce(topics.events, good[half:])
    await produce_raw(world, topics.events, odd_records(), partition=3)

    wanted = {f"user-{user}": list(range(user, GOOD, USERS)) for user in range(USERS)}
    wanted[f"user-{PARKED}"] = wanted[f"user-{DUE}"] = [GOOD]
    wanted[others.decode()] = [LOST, GOOD, *range(GOOD + 2, GOOD + 2 + len(ODD_HEADERS))]
    stored = LOST + 1 + GOOD + 4 * len(odd_records()) + large + 1 + len(ODD_HEADERS)
    parked = 3  # The lie that names this topic, and two good ones.
    return Counter(dict.fromkeys(DESTINATIONS, stored + parked)) - settled_by_second, wanted


async def park(world: World, user: int, due_at: float, before: Sequence[Raw] = ()) -> None:
    """For both destinations, an event of this user; and these before it."""
    topics = world.config.kafka.topics
    said = {"origin": f"{topics.events}/0/{10**9 + user}", "not_before": timestamp(due_at)}
    value = event(user, GOOD)[1]
    letters = [letter(name, key=f"user-{user}", value=value, **said) for name in DESTINATIONS]
    await produce_raw(world, topics.parked, [*before, *letters])


async def join_and_leave(
    world: World, directory: Path, good: Sequence[tuple[bytes, bytes]]
) -> Counter[str]:
    """A second process, while there is something to deliver; what it has settled."""
    async with delivering(world, directory) as second:
        await world.produce(world.config.kafka.topics.events, good)
        await until_answers(f"{second.url}/readyz", 200)
        for kind in ("amplitude", "aampe"):
            await seen(
                partial(arrived, world, kind),
                lambda found: sum(map(len, found.values())) >= GOOD // 2 + len(ODD_HEADERS) + 3,
                WITHIN_SECONDS,
            )
        await until_committed(world)
        settled = by_destination(await outcomes(second.url))
        await second.end()
    return settled


async def until_committed(world: World) -> None:
    """All is settled, counted and committed; a gauge may still show what was a second ago."""
    await seen(partial(uncommitted, world, *DESTINATIONS), lambda found: not found)


async def reload_wrongly(first: Delivery) -> None:
    """What cannot be used changes nothing; and what was there before is used again."""
    right = first.file.read_text()
    wrong = (
        right.replace('base_url = "http://127.0.0.1:', 'base_url = "http://127.0.0.1:9999'),
        right.replace("us-east1", "mars-north1"),
        right + "\nno TOML",
    )
    for times, text in enumerate(wrong, 1):
        await first.reload(text)
        await first.says("new configuration rejected", times)
    await first.reload(right)
    await first.says("configuration reloaded")
    await until_answers(f"{first.url}/readyz", 200)


async def check_letters(world: World) -> None:
    """Every bad record is one of both destinations, with its origin."""
    topics, kinds = world.config.kafka.topics, len(odd_records())
    letters = await world.dead_letters(2 * (4 * kinds + 2 + 1))
    assert all(one["origin"].startswith(f"{topics.events}/") for one in letters)
    found = Counter((one["destination"], one.get(ODD, "a lie")) for one in letters)
    assert all(times == OTHER_KINDS.get(kind, 4) for (_, kind), times in found.items())
    assert len(found) == 2 * (kinds + len(OTHER_KINDS))
