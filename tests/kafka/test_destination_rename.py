"""A renamed destination goes on where it was; an interrupted rename is finished."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from ampgate.archive.archive import Archive, archive
from ampgate.destinations.groups import groups_of
from ampgate.destinations.left_behind import Survey
from ampgate.destinations.rename import Rename, moving_producer
from ampgate.trace.trace import ByUser, Search, trace
from ampgate.trace.whereabouts import State
from consumers.delivery.offsets import Unfinished
from consumers.kafka.commit_notes import CommitNote, encoded
from schemas.topics import Kind
from tests.eventually import seen
from tests.kafka.delivery_world import Clock, World
from tests.kafka.delivery_world import event as produced
from tests.kafka.left_behind import NEW, parked_for, standings, stocked, without
from tests.kafka.letters import die, letter
from tests.operating import AAMPE, AMPLITUDE, Operation, after, event, received


def renamed(world: Operation, old: str = AMPLITUDE, new: str = NEW) -> Operation:
    changed = [
        one.model_copy(update={"name": new}) if one.name == old else one
        for one in world.config.destinations
    ]
    return replace(world, config=world.config.model_copy(update={"destinations": tuple(changed)}))


async def test_a_name_with_a_past_is_not_overwritten(here: Operation, tmp_path: Path) -> None:
    places = await stocked(here)
    topics = here.config.kafka.topics
    await here.commit(topics.group_id(NEW, Kind.EVENT), places[2])
    ran = await here.run(tmp_path, "destinations", "rename", AMPLITUDE, NEW)
    assert ran.exit_code == 1
    assert "a past of its own" in str(ran.exception)


async def test_under_its_new_name_a_destination_goes_on_where_it_was(
    simulated: Operation, tmp_path: Path
) -> None:
    """Events 0 to 4 are parked, 5 and 7 are settled: the others are delivered, once, in order."""
    topics = simulated.config.kafka.topics
    places = await simulated.produce(topics.events, [event("ann", n=n) for n in range(10)])
    first = int(places[0].rpartition("/")[2])
    note = CommitNote(Unfinished(first + 8, [(first + 6, first + 6)]), None, {})
    await simulated.commit(
        topics.group_id(AMPLITUDE, Kind.EVENT), places[6], encoded(note, first + 6)
    )
    parked = await simulated.produce(
        topics.parked,
        [
            *(parked_for(AMPLITUDE, place, "ann") for place in places[:5]),
            parked_for(AAMPE, places[5], "ann"),
        ],
    )
    await simulated.commit(topics.group_id(AMPLITUDE, Kind.EVENT), parked[1])  # The first is done.

    world = without(renamed(simulated), AAMPE)
    ran = await world.run(tmp_path, "destinations", "rename", AMPLITUDE, NEW)
    assert ran.exit_code == 0, ran.output
    again = await world.run(tmp_path, "destinations", "rename", AMPLITUDE, NEW)
    assert again.exit_code == 0, again.output

    found = await standings(world, tmp_path)
    assert AMPLITUDE not in found
    assert (found[NEW]["unread"], found[NEW]["parked"]) == (4, 4)
    url = world.url(NEW)
    async with world.delivering(tmp_path):
        await seen(partial(received, url), lambda got: len(got) >= 7)
    got = [one.get("insert_id") or one for one in await received(url)]
    assert got[:4] == [f"parked-ann-{place}" for place in places[1:5]]
    assert len(got) == 7
    assert (await standings(world, tmp_path))[NEW]["parked"] == 0


@asynccontextmanager
async def planned(world: Operation) -> AsyncIterator[tuple[Rename, Archive]]:
    async with archive(world.config.kafka) as stored, groups_of(world.config.kafka) as groups:
        survey = Survey(world.config, stored, groups)
        await survey.look()
        yield Rename(world.config, survey, AMPLITUDE, NEW), stored


async def finished(here: Operation, tmp_path: Path) -> str:
    """Run the rename again: all is under the new name, once; what it said."""
    ran = await here.run(tmp_path, "destinations", "rename", AMPLITUDE, NEW)
    assert ran.exit_code == 0, ran.output
    # Kafka ends a transaction a moment after it has agreed to.
    found = await seen(
        partial(standings, without(here, AMPLITUDE), tmp_path),
        lambda found: NEW in found and found[NEW]["parked"] == 5,
    )
    assert AMPLITUDE not in found
    assert found[NEW]["unread"] == 4
    moved = [
        one.header("origin")
        for one in await here.stored(here.config.kafka.topics.parked)
        if one.header("destination") == NEW
    ]
    assert len(moved) == len(set(moved)) == 5
    return ran.stdout


async def test_a_rename_that_was_interrupted_begins_again(here: Operation, tmp_path: Path) -> None:
    await stocked(here)
    async with planned(here) as (plan, stored):
        producer = moving_producer(here.config.kafka, AMPLITUDE)
        await producer.start()
        await producer.begin_transaction()
        await plan.move_kind(Kind.EVENT, stored, producer, lambda _count: None)
        await producer.flush()
        # As after kill -9: neither committed nor aborted.
        await producer._sender.close()
        await producer.client.close()
        producer._closed = True

    assert "is still configured" in await finished(here, tmp_path)


async def test_a_rename_that_was_interrupted_before_the_old_name_was_dropped_is_finished(
    here: Operation, tmp_path: Path
) -> None:
    await stocked(here)
    async with (
        planned(here) as (plan, stored),
        moving_producer(here.config.kafka, AMPLITUDE) as producer,
    ):
        await plan.move(stored, producer, lambda _count: None)
    await seen(
        partial(standings, here, tmp_path), lambda found: NEW in found and found[NEW]["parked"] == 5
    )

    assert "is still configured" in await finished(here, tmp_path)


async def test_what_a_delivery_parked_waits_under_the_new_name_in_order(
    world: World, tmp_path: Path
) -> None:
    """It has committed offsets of all three topics."""
    topics = world.config.kafka.topics
    quota = {"kind": "daily_quota", "ids": ["user-0"], "seconds": 60.0}
    await world.set_faults("amplitude", {"effect": quota})
    async with world.delivering(Clock()):
        await world.produce(topics.events, [produced(0, n) for n in range(10)])
        await world.letters(topics.parked, 10)
        await world.until_accepted("aampe", 10)
    await world.produce(topics.events, [produced(0, n) for n in range(10, 15)])

    changed = renamed(Operation(world.config))
    ran = await changed.run(tmp_path, "destinations", "rename", AMPLITUDE, NEW)
    assert ran.exit_code == 0, ran.output
    found = await standings(changed, tmp_path)
    assert set(found) == {AAMPE, NEW}
    assert (found[NEW]["unread"], found[NEW]["parked"]) == (5, 10)
    stored = await changed.stored(topics.parked)
    moved = [json.loads(one.value or b"") for one in stored if one.header("destination") == NEW]
    assert [one["event_properties"]["n"] for one in moved] == list(range(10))


async def test_dead_letters_go_to_the_new_name_and_what_was_replayed_stays_replayed(
    here: Operation, tmp_path: Path
) -> None:
    places = await stocked(here)
    await die(here, letter(places[0]), letter(places[1]))
    one = ("dead-letters", "replay", "--yes", "--origin", places[0])
    assert (await here.run(tmp_path, *one)).exit_code == 0
    world = renamed(here)
    assert (await world.run(tmp_path, "destinations", "rename", AMPLITUDE, NEW)).exit_code == 0
    later = letter(places[2])  # Somebody delivers to that name again.
    await die(here, later)

    listed = await world.run(tmp_path, "dead-letters", "list", "--json", "--destination", NEW)
    letters = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {one["destination"] for one in letters} == {NEW}
    assert {one["origin"]: one["replayed"] for one in letters} == {
        places[0]: True,
        places[1]: False,
    }
    found = await trace(world.config, Search(ByUser("ann")))
    of_new = [one for one in found if one.destination == NEW]
    states = {f"{one.topic}/{one.partition}/{one.offset}": one.state for one in of_new}
    assert states[places[1]] is State.DEAD
    planned = await world.run(tmp_path, "dead-letters", "replay", "--json", "--yes")
    plan = json.loads(planned.stdout)
    assert plan["to_send"] == {NEW: 1}
    assert sorted(plan["left"].values()) == [1, 1], "one was replayed, one is of the former name"
    [sent] = [
        record
        for record in await here.stored(here.config.kafka.topics.parked)
        if record.header("letter") == f"{places[1]} {AMPLITUDE} 0"
    ]
    assert (sent.header("destination"), sent.header("origin")) == (NEW, places[1])


async def test_what_was_replayed_under_the_former_name_is_known_under_the_new_one(
    here: Operation, tmp_path: Path
) -> None:
    """An interrupted run goes on after a rename, and sends nothing of what it had sent."""
    topics = here.config.kafka.topics
    group = topics.group_id(AMPLITUDE, Kind.EVENT)
    places = await here.produce(topics.events, [event("ann", insert_id=f"i{n}") for n in range(3)])
    await here.commit(group, after(places[-1]))
    await die(here, letter(places[0]))
    replay = ("replay", "--destination", AMPLITUDE, "--from", "1h", "--to", "now", "--json")
    ran = await here.run(tmp_path, *replay)
    run = json.loads(ran.stdout)["run"]
    assert f"--resume {run}" in ran.stderr
    sent = await here.stored(topics.parked)
    await here.commit(group, sent[2].origin)  # Two of them are delivered.

    world = renamed(here)
    ran = await world.run(tmp_path, "destinations", "rename", AMPLITUDE, NEW)
    assert ran.exit_code == 0, ran.output
    again = ("replay", "--destination", NEW, *replay[3:], "--resume", run, "--dry-run")
    plan = json.loads((await world.run(tmp_path, *again)).stdout)
    assert (plan["matching"], plan["sent_before"], plan["to_send"]) == (3, 3, 0)
    states = await world.states(ByUser("ann"))
    assert [states[NEW, f"i{n}"] for n in range(3)] == [
        *(State.DELIVERED, State.DELIVERED, State.WAITING),
    ]


async def test_what_was_delivered_before_the_answer_is_not_delivered_again(
    here: Operation, tmp_path: Path
) -> None:
    """The question may have stood there for an hour, and a delivery may have run meanwhile."""
    places = await stocked(here)
    group_id = here.config.kafka.topics.group_id(AMPLITUDE, Kind.EVENT)
    code, said = await here.run_at_terminal(
        *(tmp_path, "destinations", "rename", AMPLITUDE, NEW),
        answer="y\n",
        meanwhile=partial(here.commit, group_id, places[8]),
    )
    assert code == 0, said
    found = await standings(without(here, AMPLITUDE), tmp_path)
    assert (found[NEW]["unread"], found[NEW]["parked"]) == (2, 5)
