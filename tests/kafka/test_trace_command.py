"""The command `ampgate trace`: its output and exit codes."""

import json
from pathlib import Path

from tests.operating import AAMPE, AMPLITUDE, Operation, event


async def test_what_others_wrote_cannot_steer_the_terminal(here: Operation, tmp_path: Path) -> None:
    await here.produce(here.config.kafka.topics.events, [event("ann", insert_id="a\x07\nforged")])

    ran = await here.run(tmp_path, "trace", "--user", "ann")
    assert all(line.endswith(r"insert_id a\x07\nforged") for line in ran.stdout.splitlines())


async def test_the_command_prints_what_was_promised(here: Operation, tmp_path: Path) -> None:
    (place,) = await here.produce(here.config.kafka.topics.events, [event("ann", insert_id="a")])
    topic, partition, offset = place.rsplit("/", 2)

    ran = await here.run(tmp_path, "trace", "--insert-id", "a", "--json")
    assert [json.loads(line) for line in ran.stdout.splitlines()] == [
        {
            "insert_id": "a",
            "topic": topic,
            "partition": int(partition),
            "offset": int(offset),
            "destination": destination,
            "state": "unread",
            "reason": None,
            "until": None,
        }
        for destination in (AMPLITUDE, AAMPE)
    ]
    in_words = await here.run(tmp_path, "trace", "--user", "ann", "--since", "1h")
    assert [line.split()[:3] for line in in_words.stdout.splitlines()] == [
        ["unread", AMPLITUDE, place],
        ["unread", AAMPE, place],
    ]


async def test_no_such_record_is_exit_1_and_no_question_exit_2(
    here: Operation, tmp_path: Path
) -> None:
    assert (await here.run(tmp_path, "trace", "--user", "nobody")).exit_code == 1
    for wrong in ([], ["--user", "a", "--insert-id", "b"], ["--user", "a", "--since", "soon"]):
        assert (await here.run(tmp_path, "trace", *wrong)).exit_code == 2
