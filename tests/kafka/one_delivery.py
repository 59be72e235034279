"""A delivery process as an operator runs it, and what it and the simulators have counted."""

import os
import signal
import sys
from asyncio.subprocess import Process, create_subprocess_exec
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import takewhile
from pathlib import Path

from ampgate.lab.chaos.asking import scrape
from ampgate.lab.kafka.ports import free_ports
from tests.eventually import eventually, seen
from tests.kafka.delivery_world import World
from tests.kafka.processes import until_answers
from tests.operating import Operation

WITHIN_SECONDS = 300.0
COUNTED = {
    "ampgate_delivery_records_total": "",  # Its label says what.
    "ampgate_delivery_lost_records_total": "lost",
}


class Delivery:
    """A process as an operator runs it, which must live until it is told to end."""

    def __init__(self, process: Process, file: Path, port: int) -> None:
        self.process = process
        self.file = file
        self.url = f"http://127.0.0.1:{port}"
        self.said = file.with_suffix(".log")

    async def end(self) -> None:
        assert self.process.returncode is None, "it ended by itself"
        self.process.terminate()
        assert await self.process.wait() == 0

    async def says(self, words: str, times: int = 1) -> None:
        await eventually(lambda: self.said.read_text().count(words) >= times)

    async def reload(self, text: str) -> None:
        """SIGHUP with this configuration."""
        self.file.write_text(text)
        self.process.send_signal(signal.SIGHUP)


@asynccontextmanager
async def delivering(world: World, directory: Path) -> AsyncIterator[Delivery]:
    [port] = free_ports(1)
    file = Operation(world.config).write(directory)
    file.write_text(file.read_text().replace("admin_port = 0", f"admin_port = {port}"))
    with file.with_suffix(".log").open("wb") as said:
        process = await create_subprocess_exec(
            *(sys.executable, "-m", "ampgate", "deliver"),
            env=os.environ | {"AMPGATE_CONFIG": str(file)},
            stderr=said,
        )
    try:
        delivery = Delivery(process, file, port)
        await until_answers(f"{delivery.url}/healthz", 200)
        yield delivery
    except BaseException:
        print(file.with_suffix(".log").read_text())  # The report of the failure shows it.
        raise
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


async def until_arrived(world: World, wanted: Mapping[str, Sequence[int]]) -> None:
    count = sum(map(len, wanted.values()))
    for kind in ("amplitude", "aampe"):
        await seen(
            partial(arrived, world, kind),
            lambda found: sum(map(len, found.values())) >= count,
            WITHIN_SECONDS,
        )
        assert not differing(await arrived(world, kind), wanted)


def differing(
    found: Mapping[str, Sequence[int]], wanted: Mapping[str, Sequence[int]]
) -> Mapping[str, tuple[Sequence[int], Sequence[int]]]:
    """By user: what came, and what should have come in its place, from the first difference on."""
    differences = {}
    for user in found.keys() | wanted.keys():
        came, due = list(found.get(user, ())), list(wanted.get(user, ()))
        if came != due:
            pairs = zip(came, due, strict=False)
            same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            differences[user] = came[same:], due[same:]
    return differences


async def outcomes(*urls: str) -> Counter[tuple[str, str]]:
    """By destination, and by what became of them: the settled records, by counters alone.

    A gauge shows what was a second ago: a record may be delivered, and be waiting there still.
    """
    found: Counter[tuple[str, str]] = Counter()
    for sample in [sample for url in urls for sample in await scrape(url)]:
        outcome = COUNTED.get(sample.name, "") or sample.labels.get("outcome", "")
        if sample.name in COUNTED and outcome != "parked":
            found[sample.labels["destination"], outcome] += int(sample.value)
    return found


def by_destination(counted: Counter[tuple[str, str]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (destination, _), records in counted.items():
        found[destination] += records
    return found


async def lag(*urls: str) -> float:
    name = "ampgate_delivery_lag_records"
    samples = [sample for url in urls for sample in await scrape(url)]
    return sum(sample.value for sample in samples if sample.name == name)


async def until_quiet(*urls: str) -> None:
    await seen(partial(lag, *urls), lambda records: records == 0, WITHIN_SECONDS)
