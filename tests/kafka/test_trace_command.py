"""The command `ampgate trace`: its output and exit codes."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from schemas.topics import Kind
from tests.eventually import DEADLINE_SECONDS
from tests.operating import AAMPE, AMPLITUDE, Operation, after, event


async def test_what_others_wrote_cannot_steer_the_terminal(here: Operation, tmp_path: Path) -> None:
    await here.produce(here.config.kafka.topics.events, [event("ann", insert_id="a\x07\nforged")])

    ran = await here.run(tmp_path, "trace", "--user", "ann")
    lines = ran.stdout.splitlines()
    assert len(lines) == 2
    assert all(line.endswith(r"insert_id a\x07\nforged") for line in lines)


async def test_the_command_prints_what_was_promised(here: Operation, tmp_path: Path) -> None:
    (place,) = await here.produce(here.config.kafka.topics.events, [event("ann", insert_id="a")])
    topic, partition, offset = place.rsplit("/", 2)

    ran = await here.run(tmp_path, "trace", "--insert-id", "a", "--json")
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    times = {one.pop("time") for one in found}
    assert all(datetime.fromisoformat(time).tzinfo is not None for time in times)
    assert found == [
        {
            "insert_id": "a",
            "event_type": "Bought",
            "topic": topic,
            "partition": int(partition),
            "offset": int(offset),
            "destination": destination,
            "state": "unread",
            "reason": "no_delivery_yet",
            "until": None,
        }
        for destination in (AMPLITUDE, AAMPE)
    ]
    in_words = await here.run(tmp_path, "trace", "--user", "ann", "--since", "1h")
    assert [line.split()[:3] for line in in_words.stdout.splitlines()] == [
        ["unread", "(no_delivery_yet)", AMPLITUDE],
        ["unread", "(no_delivery_yet)", AAMPE],
    ]
    assert all(f"Bought  {place}" in line for line in in_words.stdout.splitlines())


async def test_what_no_destination_reads_is_not_called_absent(
    here: Operation, tmp_path: Path
) -> None:
    (place,) = await here.produce(here.config.kafka.topics.events, [event("ann", insert_id="a")])
    nobody = replace(here, config=here.config.model_copy(update={"destinations": ()}))

    ran = await nobody.run(tmp_path, "trace", "--insert-id", "a")
    assert ran.exit_code == 1
    assert f"{place} is it, and no configured destination reads its topic" in ran.stderr
    ran = await here.run(tmp_path, "trace", "--insert-id", "b", "--since", "2026-01-01")
    assert "no such record is in Kafka since 2026-01-01T00:00:00.000Z" in ran.stderr


async def test_the_newest_records_are_shown_up_to_a_limit(here: Operation, tmp_path: Path) -> None:
    topic = here.config.kafka.topics.events
    await here.produce(topic, [event("ann", insert_id=str(at)) for at in range(5)])

    ran = await here.run(tmp_path, "trace", "--user", "ann", "--limit", "2", "--json")
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [(one["insert_id"], one["destination"]) for one in found] == [
        (at, destination) for at in ("3", "4") for destination in (AMPLITUDE, AAMPE)
    ]
    assert "newest 2 records" in ran.stderr


async def test_no_such_record_is_exit_1_and_no_question_exit_2(
    here: Operation, tmp_path: Path
) -> None:
    assert (await here.run(tmp_path, "trace", "--user", "nobody")).exit_code == 1
    for wrong in ([], ["--user", "a", "--insert-id", "b"], ["--user", "a", "--since", "soon"]):
        assert (await here.run(tmp_path, "trace", *wrong)).exit_code == 2


async def test_a_function_that_does_not_return_stops_no_trace(
    here: Operation, tmp_path: Path
) -> None:
    """The delivery makes a dead letter of its record after 5 seconds, and goes on."""
    topics = here.config.kafka.topics
    (place,) = await here.produce(topics.events, [event("ann", insert_id="a")])
    await here.commit(topics.group_id(AMPLITUDE, Kind.EVENT), after(place))
    (tmp_path / "endless.py").write_text("def function(event):\n    while True:\n        pass\n")
    changed = [
        one.model_copy(update={"transform": "endless:function"} if one.name == AMPLITUDE else {})
        for one in here.config.destinations
    ]
    update = {"destinations": tuple(changed)}
    world = Operation(here.config.model_copy(update=update))
    started = await world.start(tmp_path, "trace", "--user", "ann", "--json")
    said, _ = await asyncio.wait_for(started.communicate(), DEADLINE_SECONDS)
    found = {one["destination"]: one for one in map(json.loads, said.splitlines())}
    assert (found[AMPLITUDE]["state"], found[AMPLITUDE]["reason"]) == ("dead", "transform_failed")
