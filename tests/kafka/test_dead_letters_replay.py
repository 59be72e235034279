"""What is dead is sent again once, to the destination where it died."""

import json
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ampgate.archive.archive import archive
from ampgate.cli.resending import say_refused
from ampgate.resend import dead_letters, letter_replay
from ampgate.resend.dead_letters import Filter
from ampgate.resend.letter_replay import Decision, Plan
from ampgate.resend.parking import Run
from ampgate.resend.writer import writer
from ampgate.trace.trace import ByInsertId, Search, trace
from ampgate.trace.whereabouts import State
from consumers.kafka.letters import Letters
from schemas.records import RawRecord, Stored
from tests.eventually import seen
from tests.kafka.letters import ACCEPTED, FAILED, NOW, NOW_MS, die, letter
from tests.operating import AAMPE, AMPLITUDE, Message, Operation, event, received, set_faults


async def replay(
    world: Operation, chosen: Filter | None = None, *, force: bool = False, at_ms: int = NOW_MS
) -> Plan:
    config = world.config
    async with archive(config.kafka) as kafka:
        prepared = await letter_replay.prepare(config, kafka, chosen or Filter(), force=force)
        plan = await prepared.plan(kafka)
        run = Run(config.kafka.topics.parked, at_ms)
        async with writer(
            config.kafka, rate=None, on_written=lambda _: None, on_refused=say_refused
        ) as writing:
            await prepared.send(kafka, run, writing)
    return plan


async def parked(world: Operation) -> list[Stored]:
    return await world.stored(world.config.kafka.topics.parked)


async def test_a_dry_run_writes_nothing(here: Operation, tmp_path: Path) -> None:
    await die(here, letter("t/0/1"))
    ran = await here.run(tmp_path, "dead-letters", "replay", "--dry-run", "--json")
    assert json.loads(ran.stdout) == {"to_send": {AMPLITUDE: 1}, "left": {}, "dry_run": True}
    assert await parked(here) == []

    ran = await here.run(tmp_path, "dead-letters", "replay", "--rate", "1000", "--yes")
    assert ran.exit_code == 0
    assert len(await parked(here)) == 1


async def test_a_letter_goes_to_its_destination_alone(here: Operation) -> None:
    topics = here.config.kafka.topics
    (origin,) = await here.produce(topics.events, [event("ann", insert_id="a")])
    await die(here, letter(origin))

    assert (await replay(here)).to_send == {AMPLITUDE: 1}
    (record,) = await parked(here)
    assert (record.key, record.value) == (b"ann", event("ann", insert_id="a").value)
    headers = {name: (value or b"").decode() for name, value in record.headers}
    assert headers.pop("letter") == f"{origin} {AMPLITUDE} 0"
    assert headers == {
        "source": "web-shop",
        "destination": AMPLITUDE,
        "reason": "replay",
        "detail": "sent again by an operator",
        "origin": origin,
        "accepted_at": ACCEPTED,
        "attempts": "0",
        "first_failed_at": FAILED,
        "not_before": NOW,
        "replayed": "1",
        "replayed_at": NOW,
    }
    found = await trace(here.config, Search(ByInsertId("a")))
    assert [(one.destination, one.state, one.reason) for one in found] == [
        (AMPLITUDE, State.WAITING, "replay"),
        (AAMPE, State.UNREAD, None),
    ]


async def test_what_was_replayed_is_not_sent_again(here: Operation) -> None:
    await die(here, letter("t/0/1"), letter("t/0/1"))
    first = await replay(here)
    assert (first.to_send, first.left) == ({AMPLITUDE: 1}, {Decision.COPY: 1})
    await die(here, letter("t/0/2"))

    second = await replay(here)
    assert (second.to_send, second.left) == ({AMPLITUDE: 1}, {Decision.REPLAYED: 2})
    assert [one.header("origin") for one in await parked(here)] == ["t/0/1", "t/0/2"]
    (group,) = await dead_letters.list_groups(here.config, Filter())
    assert (group.count, group.replayed, group.died_again) == (3, 3, 0)


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


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (Filter(destination=AAMPE), ["t/0/1"]),
        (Filter(reason="not_json"), ["t/0/2"]),
        (Filter(origin="t/0/2"), ["t/0/2"]),
        (Filter(since_ms=NOW_MS + 1), ["t/0/2"]),
        (Filter(until_ms=NOW_MS + 1), ["t/0/1"]),
    ],
)
async def test_only_chosen_letters_are_replayed(
    here: Operation, chosen: Filter, expected: list[str]
) -> None:
    old = replace(letter("t/0/1", AAMPE), timestamp_ms=NOW_MS)
    new = replace(letter("t/0/2", reason="not_json"), timestamp_ms=NOW_MS + 1000)
    await die(here, old, new)

    await replay(here, chosen)
    assert [one.header("origin") for one in await parked(here)] == expected


async def test_what_the_edge_would_refuse_again_is_left(here: Operation) -> None:
    await die(
        here,
        Message(b'{"user_id":"ann"}', headers={"destination": "edge", "reason": "x"}),
        letter("t/0/1", "gone"),
    )
    plan = await replay(here)
    assert (plan.to_send, plan.left) == ({}, {Decision.REFUSED: 1, Decision.UNKNOWN: 1})
    assert plan.failed
    assert await parked(here) == []


async def test_what_the_edge_would_take_now_goes_where_it_was_meant_for_once(
    here: Operation,
) -> None:
    topics = here.config.kafka.topics
    about = {"source": "web-shop", "destination": "edge", "reason": "x", "origin": "edge"}
    update = b'{"user_id":"ann","user_properties":{"plan":"pro"}}'
    (place, _) = await die(
        here,
        Message(event("ann").value, headers=about),
        Message(update, headers=about),
    )
    assert (await replay(here)).to_send == {"edge": 2}
    assert (await replay(here)).left == {Decision.REPLAYED: 2}

    (record,) = await here.stored(topics.events)
    assert {name: (value or b"").decode() for name, value in record.headers} == {
        "source": "web-shop",
        "replayed": "1",
        "replayed_at": NOW,
        "letter": place,
    }
    assert [one.value for one in await here.stored(topics.user_properties)] == [update]


async def test_an_interrupted_replay_goes_on_with_the_rest(here: Operation, tmp_path: Path) -> None:
    origins = [f"t/0/{n}" for n in range(40)]
    await die(here, *(letter(origin) for origin in origins))

    replaying = await here.start(tmp_path, "dead-letters", "replay", "--rate", "1", "--yes")
    await seen(partial(parked, here), bool)
    replaying.send_signal(signal.SIGINT)
    _, said = await replaying.communicate()
    assert replaying.returncode == 1
    assert b"interrupted" in said
    assert 0 < len(await parked(here)) < len(origins)

    assert (await here.run(tmp_path, "dead-letters", "replay", "--yes")).exit_code == 0
    assert [one.header("origin") for one in await parked(here)] == origins


async def test_a_plan_is_told_to_machines(here: Operation, tmp_path: Path) -> None:
    await die(here, letter("t/0/1"), letter("t/0/1"), letter("t/0/2", "gone"))
    ran = await here.run(tmp_path, "dead-letters", "replay", "--dry-run", "--json")
    assert json.loads(ran.stdout)["left"] == {Decision.COPY: 1, Decision.UNKNOWN: 1}


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
    assert json.loads(listed.stdout)["truncated"] == 1


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
