"""One delivery process, and everything odd at once beside good events: records, letters, answers.

Each kind has tests of its own; this one holds that they do no more harm together.
"""

import os
import sys
from asyncio.subprocess import DEVNULL, create_subprocess_exec
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from ampgate.lab.chaos.fleet import ask, scrape
from ampgate.lab.chaos.odd_records import unusable_records
from ampgate.lab.kafka.ports import free_ports
from tests.eventually import seen
from tests.kafka.delivery_world import DEADLINE_SECONDS, World, event
from tests.kafka.kafka_operations import produce_raw
from tests.kafka.processes import until_answers
from tests.operating import AAMPE, AMPLITUDE, Operation
from tests.raw_batches import Raw

DESTINATIONS = (AMPLITUDE, AAMPE)
USERS, EVENTS = 100, 5000
PARKED_USER = USERS  # Its only event waits in the parked topic, behind the lies.
COUNTED = ("ampgate_delivery_waiting_records", "ampgate_delivery_lost_records_total")
ANSWERS = (
    {"kind": "answer", "status": 200, "body": "<html>Sign in</html>"},
    {"kind": "answer", "status": 407, "body": "<html>"},
    {"kind": "answer", "status": 425},
    {"kind": "answer", "status": 503, "headers": {"retry-after": "-1e400"}},
)


def letter(destination: str, origin: str, value: bytes | None, **others: str) -> Raw:
    """A parked record as anybody may have written it; without a value it is a reference."""
    said = {"destination": destination, "origin": origin, **others}
    said |= {"truncated": "9"} if value is None else {}
    headers = [(name.encode(), text.encode()) for name, text in said.items()]
    return Raw(f"user-{PARKED_USER}".encode(), value, headers)


def lies(topic: str) -> Sequence[Raw]:
    """Of each destination one names a partition that there is not; it is dead, with its words."""
    digits = "9" * 5000
    found = [Raw(None, None), Raw(b"\xff", b"\xff", [(b"\xff\xfe", None), (b"destination", None)])]
    for name in DESTINATIONS:
        found.append(letter(name, f"{topic}/{2**31 - 1}/0", None, not_before="0001-01-01"))
        found.append(letter(name, f"no such topic/{digits}/{digits}", None, attempts=digits))
        found.append(letter(name, "///", b"{", status=digits, not_before=digits))
    return found


@asynccontextmanager
async def delivering(world: World, directory: Path) -> AsyncIterator[str]:
    """The process as an operator runs it, which must live to the end: its admin's URL."""
    [port] = free_ports(1)
    file = Operation(world.config).write(directory)
    file.write_text(file.read_text().replace("admin_port = 0", f"admin_port = {port}"))
    process = await create_subprocess_exec(
        *(sys.executable, "-m", "ampgate", "deliver"),
        env=os.environ | {"AMPGATE_CONFIG": str(file)},
        stderr=DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
        assert process.returncode is None, "it ended by itself"
        process.terminate()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def arrived(world: World, kind: str) -> Mapping[str, Sequence[int]]:
    """By user, in order."""
    properties, owner = {
        "amplitude": ("event_properties", "user_id"),
        "aampe": ("metadata", "contact_id"),
    }[kind]
    found: defaultdict[str, list[int]] = defaultdict(list)
    for record in await world.received(kind):
        if "n" in record.get(properties, {}):
            found[record[owner]].append(record[properties]["n"])
    return found


async def counted(url: str) -> Counter[str]:
    """By destination: the records that /metrics knows, settled, waiting or lost."""
    found: Counter[str] = Counter()
    for sample in await scrape(url):
        is_settled = sample.name == "ampgate_delivery_records_total"
        if sample.name in COUNTED or (is_settled and sample.labels["outcome"] != "parked"):
            found[sample.labels["destination"]] += int(sample.value)
    return found


async def lag(url: str) -> float:
    name = "ampgate_delivery_lag_records"
    return sum(sample.value for sample in await scrape(url) if sample.name == name)


@pytest.mark.timeout(300)
async def test_everything_odd_at_once_harms_no_good_event(world: World, tmp_path: Path) -> None:
    topics = world.config.kafka.topics
    good = [event(n % USERS, n) for n in range(EVENTS)]
    odd = [
        Raw(one.key, one.value, [(name.encode(), value) for name, value in one.headers])
        for one in unusable_records()
    ]
    for kind in ("amplitude", "aampe"):
        await world.set_faults(kind, *({"times": 1, "effect": answer} for answer in ANSWERS))
    await produce_raw(world, topics.parked, lies(topics.events))
    _, due = event(PARKED_USER, EVENTS)
    for name in DESTINATIONS:
        await produce_raw(world, topics.parked, [letter(name, f"{topics.events}/0/999999", due)])

    async with delivering(world, tmp_path) as url:
        await world.produce(topics.events, good[: EVENTS // 2])
        for codec in ("none", "gzip", "zstd"):
            await produce_raw(world, topics.events, odd, codec)
        await world.produce(topics.events, good[EVENTS // 2 :])
        letters = await world.dead_letters(2 * (3 * len(odd) + 1))
        for kind in ("amplitude", "aampe"):
            await seen(
                partial(arrived, world, kind),
                lambda found: sum(map(len, found.values())) > EVENTS,
                DEADLINE_SECONDS,
            )
        await seen(partial(lag, url), lambda records: records == 0, DEADLINE_SECONDS)
        stored = EVENTS + 3 * len(odd) + 2  # And the parked that are of this topic.
        assert await counted(url) == dict.fromkeys(DESTINATIONS, stored)
        assert (await ask(f"{url}/healthz"))[0] == 200
        await until_answers(f"{url}/readyz", 200)

    users = [f"user-{user}" for user in range(USERS)]
    wanted = {user: list(range(number, EVENTS, USERS)) for number, user in enumerate(users)}
    wanted[f"user-{PARKED_USER}"] = [EVENTS]
    for kind in ("amplitude", "aampe"):
        assert await arrived(world, kind) == wanted
    assert all(one["origin"].startswith(f"{topics.events}/") for one in letters)
