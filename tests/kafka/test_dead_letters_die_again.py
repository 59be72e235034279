"""Replayed letters that die again, or that cannot be sent as they are."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

from ampgate.resend import dead_letters
from ampgate.resend.dead_letters import Filter
from ampgate.resend.letter_replay import Decision, Plan
from ampgate.trace.trace import ByInsertId, Search, trace
from ampgate.trace.whereabouts import State
from consumers.kafka.letters import Letters
from schemas.records import RawRecord
from tests.eventually import seen
from tests.kafka.letters import NOW, NOW_MS, die, letter
from tests.kafka.replaying import parked, replay
from tests.operating import AAMPE, AMPLITUDE, Operation, event, received, set_faults


async def test_what_dies_again_and_again_is_left(here: Operation) -> None:
    await die(here, letter("t/0/1"))
    for times in (1, 2, 3):
        await replay(here)
        *_, latest = await parked(here)
        assert latest.header("replayed") == str(times)
        await die(here, letter("t/0/1", replayed=str(times), replayed_at=NOW))

    refused = await replay(here)
    assert (refused.to_send, refused.left) == ({}, {Decision.REPLAYED: 3, Decision.LOOPING: 1})
    assert (await replay(here, force=True)).to_send == {AMPLITUDE: 1}
    (group,) = await dead_letters.list_groups(here.config, Filter())
    assert group.died_again == 3


async def test_a_letter_dies_again_under_its_rule_and_arrives_once_without_it(
    simulated: Operation, tmp_path: Path
) -> None:
    invalid = {"kind": "answer", "status": 400, "body": {"error": "no such contact"}}
    aampe, topics = simulated.url(AAMPE), simulated.config.kafka.topics
    await set_faults(aampe, {"match": {"id": "ann"}, "effect": invalid})
    (origin,) = await simulated.produce(topics.events, [event("ann", insert_id="a")])
    async with simulated.delivering(tmp_path):
        await are_dead(simulated, 1)
        assert (await replay(simulated)).to_send == {AAMPE: 1}
        await are_dead(simulated, 2)
        shown = await simulated.run(tmp_path, "dead-letters", "show", origin, "--json")
        await set_faults(aampe)
        assert (await replay(simulated, at_ms=NOW_MS + 1)).to_send == {AAMPE: 1}
        await seen(
            partial(simulated.states, ByInsertId("a")),
            lambda found: set(found.values()) == {State.DELIVERED},
        )
        assert (await replay(simulated)).to_send == {}
    arrived = await received(aampe)

    first, again = [json.loads(line) for line in shown.stdout.splitlines()]
    assert (first["died_again"], again["died_again"]) == (False, True)
    assert again["headers"]["detail"] == json.dumps(invalid["body"], separators=(",", ":"))
    assert [one["event_id"] for one in arrived] == ["a"]


async def test_what_dies_again_at_its_destination_says_so(
    simulated: Operation, tmp_path: Path
) -> None:
    broken = replace(event("ann"), value=b'{"event_type":"Bought","insert_id":"x"}')
    await simulated.produce(simulated.config.kafka.topics.events, [broken])
    async with simulated.delivering(tmp_path):
        await are_dead(simulated, 2)
        assert (await replay(simulated, Filter(destination=AAMPE))).to_send == {AAMPE: 1}
        await are_dead(simulated, 3)
    groups = await dead_letters.list_groups(simulated.config, Filter())
    found = await trace(simulated.config, Search(ByInsertId("x")))

    assert {(one.destination, one.count, one.replayed, one.died_again) for one in groups} == {
        (AMPLITUDE, 1, 0, 0),
        (AAMPE, 2, 1, 1),
    }
    assert {(one.destination, one.state, one.reason) for one in found} == {
        (AMPLITUDE, State.DEAD, "missing_id"),
        (AAMPE, State.DEAD, "missing_id"),
    }


async def are_dead(world: Operation, count: int) -> None:
    """Wait until so many are."""
    letters = partial(world.stored, world.config.kafka.topics.dead_letters)
    await seen(letters, lambda found: len(found) >= count)


async def test_a_letter_that_was_cut_is_not_sent_and_says_where_the_whole_is(
    here: Operation, tmp_path: Path
) -> None:
    cut = letter("t/0/1")
    cut = replace(cut, headers={**(cut.headers or {}), "truncated": "24000000"})
    await die(here, cut, letter("t/0/2"))
    assert (await replay(here)) == Plan({AMPLITUDE: 1}, {Decision.TRUNCATED: 1})
    [sent] = await parked(here)
    assert sent.header("origin") == "t/0/2"

    ran = await here.run(tmp_path, "dead-letters", "replay", "--origin", "t/0/1", "--yes")
    assert ran.exit_code == 1
    assert "`ampgate replay` sends the record of its origin" in ran.stdout
    shown = await here.run(tmp_path, "dead-letters", "show", "t/0/1")
    assert "truncated" in shown.stdout
    assert "24000000" in shown.stdout
    listed = await here.run(tmp_path, "dead-letters", "list", "--json")
    marks = [json.loads(line)["truncated"] for line in listed.stdout.splitlines()]
    assert sorted(marks) == [False, True]


async def test_a_letter_with_neither_key_nor_value_is_shown_and_sent(
    here: Operation, tmp_path: Path
) -> None:
    given = {**(letter("t/0/1").headers or {}), "reason": "tombstone"}
    headers = [(name, text.encode()) for name, text in given.items()]
    letters = Letters(here.config.kafka)
    await letters.start()
    await letters._log.store(here.config.kafka.topics.dead_letters, RawRecord(None, None, headers))
    await letters.stop()

    shown = await here.run(tmp_path, "dead-letters", "show", "t/0/1")
    assert "tombstone" in shown.stdout
    assert (await replay(here)).to_send == {AMPLITUDE: 1}
    [sent] = await parked(here)
    assert (sent.key, sent.value, sent.header("origin")) == (None, None, "t/0/1")
