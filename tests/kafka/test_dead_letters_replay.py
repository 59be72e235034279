"""What is dead is sent again once, to the destination where it died."""

import json
import re
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ampgate.resend import dead_letters
from ampgate.resend.dead_letters import Filter
from ampgate.resend.letter_replay import Decision
from ampgate.trace.trace import ByInsertId, ByUser, Search, trace
from ampgate.trace.whereabouts import State
from tests.eventually import seen
from tests.kafka.letters import ACCEPTED, FAILED, NOW, NOW_MS, die, letter
from tests.kafka.replaying import parked, replay
from tests.operating import AAMPE, AMPLITUDE, Message, Operation, event


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
        (AAMPE, State.UNREAD, "no_delivery_yet"),
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
    dead = await trace(here.config, Search(ByUser("ann", everywhere=True)))
    assert [(one.destination, one.state) for one in dead] == [("edge", State.DEAD)] * 2
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
    again = await trace(here.config, Search(ByUser("ann", everywhere=True)))
    assert {one.destination for one in again} == {AMPLITUDE, AAMPE}


async def test_an_interrupted_replay_goes_on_with_the_rest(here: Operation, tmp_path: Path) -> None:
    origins = [f"t/0/{n}" for n in range(200)]  # At one a second, it is not done when it is seen.
    await die(here, *(letter(origin) for origin in origins))

    replay = ("dead-letters", "replay", "--yes", "--since")
    replaying = await here.start(tmp_path, *replay, "2h", "--rate", "1")
    await seen(partial(parked, here), bool)
    replaying.send_signal(signal.SIGINT)
    _, said = await replaying.communicate()
    assert replaying.returncode == 1
    found = re.search(r"interrupted; .* with --since (\S+Z)", said.decode())
    assert found is not None, said.decode()
    assert 0 < len(await parked(here)) < len(origins)

    assert (await here.run(tmp_path, *replay, found[1])).exit_code == 0
    assert [one.header("origin") for one in await parked(here)] == origins


async def test_of_two_replays_at_once_one_waits_and_no_letter_goes_twice(
    here: Operation, tmp_path: Path
) -> None:
    origins = [f"t/0/{n}" for n in range(60)]  # Seconds, at this rate.
    await die(here, *(letter(origin) for origin in origins))
    first = await here.start(tmp_path, "dead-letters", "replay", "--yes", "--rate", "20")
    await seen(partial(parked, here), bool)
    second = await here.start(tmp_path, "dead-letters", "replay", "--yes")
    said = [await one.communicate() for one in (first, second)]

    assert [one.returncode for one in (first, second)] == [0, 0], said
    assert sorted(str(one.header("origin")) for one in await parked(here)) == sorted(origins)


async def test_what_another_has_replayed_before_the_answer_is_not_sent_again(
    here: Operation, tmp_path: Path
) -> None:
    await die(here, letter("t/0/1"), letter("t/0/2"))
    again = partial(replay, here, Filter(origin="t/0/1"))
    code, said = await here.run_at_terminal(
        tmp_path, "dead-letters", "replay", answer="y\n", meanwhile=again
    )
    assert code == 0, said
    assert "Send 2 dead letters again" in said
    assert [one.header("origin") for one in await parked(here)] == ["t/0/1", "t/0/2"]


async def test_a_plan_is_told_to_machines(here: Operation, tmp_path: Path) -> None:
    await die(here, letter("t/0/1"), letter("t/0/1"), letter("t/0/2", "gone"))
    ran = await here.run(tmp_path, "dead-letters", "replay", "--dry-run", "--json")
    assert json.loads(ran.stdout)["left"] == {Decision.COPY: 1, Decision.UNKNOWN: 1}
