"""`ampgate backfill`: what Amplitude has goes to another destination, each event once, in order."""

import json
import signal
from asyncio.subprocess import Process
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewPartitions
from aiokafka.admin.records_to_delete import RecordsToDelete

from ampgate.archive.archive import archive
from ampgate.topics import admin_client
from schemas.topics import Kind
from tests.eventually import seen
from tests.kafka.writing import Topic, records
from tests.loopback import loopback_client
from tests.operating import AAMPE, AMPLITUDE, Operation, event, received

EVENTS, USERS = 900, 7
SOME = 20
DAY_MS = 86_400_000
FIRST_MS = 1_700_000_000_000
ARGUMENTS = ("--from-amplitude", AMPLITUDE, "--from", "1h", "--to", "now", "--destination", AAMPE)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


async def accept_history(url: str) -> None:
    """Uploaded newest first: the order of the export is not that of the events."""
    events: Sequence[Mapping[str, object]] = [
        {
            "event_type": "Bought",
            "user_id": f"user-{n % USERS}",
            "device_id": f"device-{n % USERS}",
            "insert_id": f"i{n}",
            "time": FIRST_MS + n // 50 * DAY_MS,
            "event_properties": {"n": n},
            "event_id": n,
        }
        for n in reversed(range(EVENTS))
    ]
    async with loopback_client() as client:
        answer = await client.post(f"{url}/batch", json={"api_key": "k", "events": events})
    assert answer.status_code == 200, answer.text


async def interrupted(process: Process, world: Operation) -> None:
    """Once it has written some: the delivery may be slower than a whole backfill."""
    assert process.stderr is not None
    while b"are sorted by" not in await process.stderr.readline():
        assert not process.stderr.at_eof()
    parked = partial(world.stored, world.config.kafka.topics.parked)
    before = len(await parked())
    await seen(parked, lambda found: len(found) >= before + SOME)
    process.send_signal(signal.SIGINT)
    _, said = await process.communicate()
    assert (process.returncode, b"the same command goes on" in said) == (1, True), said.decode()


async def test_a_backfill_that_is_interrupted_twice_sends_each_event_once_and_in_order(
    simulated: Operation, tmp_path: Path
) -> None:
    url = simulated.url(AAMPE)
    await accept_history(simulated.url(AMPLITUDE))
    async with simulated.delivering(tmp_path):
        for _ in range(2):
            process = await simulated.start(tmp_path, "backfill", *ARGUMENTS, "--rate", f"{SOME}")
            await interrupted(process, simulated)
        live = event("somebody else", insert_id="live")
        process = await simulated.start(tmp_path, "backfill", *ARGUMENTS, "--rate", "300")
        await simulated.produce(simulated.config.kafka.topics.events, [live])
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
        await seen(partial(received, url), lambda found: len(found) >= EVENTS + 1)

    found = await received(url)
    ids = [one["event_id"] for one in found]
    assert sorted(ids) == sorted([*(f"i{n}" for n in range(EVENTS)), "live"])
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for one in found:
        if one["event_id"] != "live":
            numbers[one["contact_id"]].append(one["metadata"]["n"])
    assert [them for them in numbers.values() if them != sorted(them)] == []
    assert ids.index("live") < EVENTS  # It waited for no history of others.
    assert not list((tmp_path / "cache" / "ampgate" / "backfills").iterdir())


async def test_it_goes_on_after_what_it_parked_is_deleted_and_partitions_were_added(
    simulated: Operation, tmp_path: Path
) -> None:
    """As after a week: only what was on its way when it was interrupted may go again."""
    kafka, url = simulated.config.kafka, simulated.url(AAMPE)
    await accept_history(simulated.url(AMPLITUDE))
    async with simulated.delivering(tmp_path):
        process = await simulated.start(tmp_path, "backfill", *ARGUMENTS, "--rate", f"{SOME}")
        await interrupted(process, simulated)
        before = len(await simulated.stored(kafka.topics.parked))
        await seen(partial(received, url), lambda found: len(found) == before)
        async with archive(kafka) as stored:
            spans = await stored.spans(kafka.topics.parked)
        ends = {TopicPartition(one.topic, one.partition): one.end for one in spans}
        together = [*map(kafka.topics.of, Kind), kafka.topics.parked]
        async with admin_client(kafka) as admin:
            await admin.delete_records({at: RecordsToDelete(end) for at, end in ends.items()})
            await admin.create_partitions({one: NewPartitions(4) for one in together})

        process = await simulated.start(tmp_path, "backfill", *ARGUMENTS)
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
        await seen(partial(received, url), lambda found: len(found) >= EVENTS)
    ids = [one["event_id"] for one in await received(url)]
    assert set(ids) == {f"i{n}" for n in range(EVENTS)}
    assert len(ids) <= EVENTS + SOME // 4


async def test_a_row_that_kafka_does_not_take_is_told_and_the_others_are_sent(
    simulated: Operation, tmp_path: Path
) -> None:
    """A reference in its place would lead nowhere: history has no record in a topic."""
    properties: Sequence[Mapping[str, str]] = [{}, {f"p{n}": "x" * 1_000 for n in range(40)}, {}]
    events = [
        {"event_type": "e", "user_id": "user-1", "insert_id": f"i{n}", "event_properties": one}
        for n, one in enumerate(properties)
    ]
    async with loopback_client() as client:
        sent = {"api_key": "k", "events": events}
        assert (await client.post(f"{simulated.url(AMPLITUDE)}/batch", json=sent)).is_success
    parked = Topic(simulated.config.kafka, simulated.config.kafka.topics.parked)
    await parked.set(max_message_bytes="20000", compression_type="uncompressed")

    ran = await simulated.run(tmp_path, "backfill", *ARGUMENTS)
    assert (ran.exit_code, "not sent again" in ran.output) == (1, True), ran.output
    written = [json.loads(one.value or b"")["insert_id"] for one in await records(parked)]
    assert written == ["i0", "i2"]


async def test_the_plan_says_how_much_and_what_counts_twice(
    simulated: Operation, tmp_path: Path
) -> None:
    await accept_history(simulated.url(AMPLITUDE))
    ran = await simulated.run(tmp_path, "backfill", *ARGUMENTS, "--dry-run", "--json")
    assert ran.exit_code == 0, ran.output
    plan = json.loads(ran.stdout)

    assert (plan["project"], plan["destination"], plan["counts_twice"]) == (AMPLITUDE, AAMPE, True)
    assert plan["hours"] in (1, 2)
    assert await simulated.stored(simulated.config.kafka.topics.parked) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--destination", AMPLITUDE), "has its own history already"),
        (("--from-amplitude", AAMPE), "is no Amplitude project"),
        (("--from", "2999-01-01", "--to", "2999-01-02"), "is in the future"),
    ],
)
async def test_wrong_usage_is_told(
    here: Operation, tmp_path: Path, arguments: Sequence[str], says: str
) -> None:
    ran = await here.run(tmp_path, "backfill", *ARGUMENTS, *arguments)
    assert (ran.exit_code, says in ran.output) == (2, True), ran.output
