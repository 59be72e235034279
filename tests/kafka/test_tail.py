"""Records are shown as they come in, and only those that were asked for."""

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from aiokafka.admin import NewPartitions

from ampgate.archive import tail as tailing
from ampgate.archive.archive import archive
from ampgate.archive.tail import Filter, as_shown, in_words, tail
from ampgate.topics import admin_client
from schemas.records import Stored
from tests.eventually import DEADLINE_SECONDS, seen
from tests.operating import Message, Operation, event


async def first_shown(world: Operation, chosen: Filter, *messages: Message) -> Stored:
    """The first record that is shown while these come in, again and again."""
    topic = world.config.kafka.topics.events

    async def show_one() -> Stored:
        async with aclosing(tail(world.config.kafka, [topic], chosen)) as records:
            return await anext(records)

    showing = asyncio.create_task(show_one())
    while not showing.done():  # Nothing says from outside that the tail has begun.
        await world.produce(topic, messages)
    return await showing


@pytest.mark.parametrize(
    "chosen",
    [
        Filter(),
        Filter(user="ann"),
        Filter(user="ann-s-tablet"),
        Filter(event_type="Seen"),
        Filter(source="web-shop"),
    ],
)
async def test_what_comes_in_is_shown_if_it_is_asked_for(here: Operation, chosen: Filter) -> None:
    await here.produce(here.config.kafka.topics.events, [event("before")])
    wanted = replace(
        event("ann", event_type="Seen", device_id="ann-s-tablet"), headers={"source": "web-shop"}
    )
    others = () if chosen == Filter() else (event("bob"), Message(b"not json"), Message(None, b"a"))

    shown = await first_shown(here, chosen, *others, wanted)
    assert (shown.value, shown.header("source")) == (wanted.value, "web-shop")


async def test_records_of_an_added_partition_are_shown_from_the_first_on(
    here: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tailing, "METADATA_MS", 500)
    topic, ready = here.config.kafka.topics.events, asyncio.Event()
    records = tail(here.config.kafka, [topic], Filter(), ready.set)
    async with aclosing(records):
        first = asyncio.ensure_future(anext(records))
        await asyncio.wait_for(ready.wait(), DEADLINE_SECONDS)
        async with admin_client(here.config.kafka) as admin:
            await admin.create_partitions({topic: NewPartitions(total_count=4)})
        async with archive(here.config.kafka) as stored:
            await seen(partial(stored.partitions, topic), lambda count: count == 4)
        await here.produce(topic, [replace(event(name), partition=3) for name in ("ann", "bob")])
        shown = [await asyncio.wait_for(first, DEADLINE_SECONDS)]
        await here.produce(topic, [replace(event("cid"), partition=0)])
        shown += [await asyncio.wait_for(anext(records), DEADLINE_SECONDS) for _ in range(2)]
    assert [(one.partition, one.key) for one in shown] == [(3, b"ann"), (3, b"bob"), (0, b"cid")]


async def test_the_command_ends_after_so_many_and_prints_ndjson(
    here: Operation, tmp_path: Path
) -> None:
    topic = here.config.kafka.topics.events
    command = asyncio.create_task(here.run(tmp_path, "tail", "-n", "2", "--json"))
    while not command.done():
        await here.produce(topic, [event("ann")])

    first, second = [json.loads(line) for line in (await command).stdout.splitlines()]
    assert (first["topic"], first["key"], first["source"]) == (topic, "ann", "kafka")
    assert second["value"] == {"event_type": "Bought", "user_id": "ann"}


@pytest.mark.parametrize(
    "value", [b"\xff", b"not json", b"[" * 3000, b'{"n":123456789012345678901234567890}', None]
)
def test_any_value_can_be_shown(value: bytes | None) -> None:
    record = Stored("ampgate.events", 0, 7, 0, None, value, [])
    shown = as_shown(record)
    assert (shown.time, shown.source) == ("1970-01-01T00:00:00.000Z", "kafka")
    assert "ampgate.events/0/7" in in_words(record)
