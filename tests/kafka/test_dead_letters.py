"""What is dead is counted, and shown whole."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ampgate.resend import dead_letters
from ampgate.resend.dead_letters import Filter
from tests.kafka.letters import NOW, NOW_MS, die, letter
from tests.operating import AAMPE, AMPLITUDE, Operation, event


async def test_letters_are_counted_by_destination_and_reason(here: Operation) -> None:
    await die(
        here,
        replace(letter("t/0/1"), timestamp_ms=NOW_MS),
        replace(letter("t/0/2"), timestamp_ms=NOW_MS + 1000),
        letter("t/0/1", AAMPE),
        letter("t/0/3", reason="not_json"),
    )

    first, *others = await dead_letters.list_groups(here.config, Filter())
    assert (first.destination, first.reason, first.count) == (AMPLITUDE, "invalid_field", 2)
    assert (first.first, first.last) == (NOW, "2026-01-01T00:00:01.000Z")
    assert first.sample_origin == "t/0/2"
    assert {(one.destination, one.reason, one.count) for one in others} == {
        (AAMPE, "invalid_field", 1),
        (AMPLITUDE, "not_json", 1),
    }
    (only,) = await dead_letters.list_groups(here.config, Filter(reason="not_json"))
    assert only.sample_origin == "t/0/3"


async def test_a_letter_is_shown_whole(here: Operation, tmp_path: Path) -> None:
    broken = replace(letter("t/0/1"), value=b"\xff")
    await die(here, broken, letter("t/0/1", AAMPE), letter("t/0/11"))

    shown = await here.run(tmp_path, "dead-letters", "show", "t/0/1", "--json")
    first, second = [json.loads(line) for line in shown.stdout.splitlines()]
    assert (first["encoding"], first["value"]) == ("base64", "/w==")
    assert first["headers"] == dict(broken.headers or {})
    assert (second["headers"]["destination"], second["key"]) == (AAMPE, "ann")
    assert second["value"] == (event("ann", insert_id="a").value or b"").decode()


async def test_a_letter_without_an_origin_is_shown_by_its_own_place(
    here: Operation, tmp_path: Path
) -> None:
    places = await die(here, *(letter("edge", "edge", detail=str(at)) for at in range(3)))

    shown = await here.run(tmp_path, "dead-letters", "show", places[1], "--json")
    (only,) = [json.loads(line) for line in shown.stdout.splitlines()]
    assert (only["letter"], only["headers"]["detail"]) == (places[1], "1")
    topic = here.config.kafka.topics.dead_letters
    for gone in (f"{topic}/0/99", f"{topic}/999/0"):
        assert (await here.run(tmp_path, "dead-letters", "show", gone)).exit_code == 1


async def test_what_others_wrote_cannot_steer_the_terminal(here: Operation, tmp_path: Path) -> None:
    await die(here, replace(letter("t/0/1", detail="\x1b[31m"), value=b"\x1b[2Jgone"))
    shown = await here.run(tmp_path, "dead-letters", "show", "t/0/1")
    assert "\x1b" not in shown.stdout
    assert r"\x1b[2Jgone" in shown.stdout


async def test_whatever_a_letter_names_is_one_line_of_the_list(
    here: Operation, tmp_path: Path
) -> None:
    await die(here, letter("t/0/1", destination="\x1b[31mmine\n", reason="a\nforged\x07"))
    listed = await here.run(tmp_path, "dead-letters", "list")
    (line,) = listed.stdout.splitlines()
    assert r"\x1b[31mmine\n" in line
    assert r"a\nforged\x07" in line


@pytest.mark.parametrize("how", ["--each", "--json"])
async def test_every_letter_is_listed_with_its_origin_so_that_a_script_can_act_on_it(
    how: str, here: Operation, tmp_path: Path
) -> None:
    origins = [f"t/0/{at}" for at in range(3)]
    await die(here, *(letter(origin) for origin in origins))
    listed = await here.run(tmp_path, "dead-letters", "list", how)
    lines = listed.stdout.splitlines()
    found = [json.loads(line)["origin"] if how == "--json" else line.split()[3] for line in lines]
    assert sorted(found) == origins
    for origin in found:
        assert (await here.run(tmp_path, "dead-letters", "show", origin)).exit_code == 0


async def test_an_origin_without_letters_is_exit_1(here: Operation, tmp_path: Path) -> None:
    assert (await here.run(tmp_path, "dead-letters", "show", "t/0/1")).exit_code == 1


async def test_a_name_that_nothing_has_is_no_good_news(here: Operation, tmp_path: Path) -> None:
    """A destination that was taken away has its letters still; a mistyped one has none."""
    await die(here, letter("t/0/1", "taken-away"))
    for what in (["list"], ["list", "--each"], ["replay", "--dry-run"]):
        command = ("dead-letters", *what, "--destination")
        mistyped = await here.run(tmp_path, *command, f"{AMPLITUDE}s")
        assert mistyped.exit_code == 2
        assert f"{AMPLITUDE}s" in mistyped.stderr
        assert mistyped.stdout == ""
        for known in (AMPLITUDE, "edge", "taken-away"):
            assert (await here.run(tmp_path, *command, known)).exit_code < 2


async def test_a_replay_says_what_it_would_send_and_asks(here: Operation, tmp_path: Path) -> None:
    await die(here, letter("t/0/1"), letter("t/0/2"))
    replay, parked = ("dead-letters", "replay"), here.config.kafka.topics.parked
    status, said = await here.run_at_terminal(tmp_path, *replay, answer="n\n")
    assert status == 1
    assert f"2 to send to {AMPLITUDE}\n" in said
    assert "Send 2 dead letters again?" in said
    assert await here.stored(parked) == []

    status, _ = await here.run_at_terminal(tmp_path, *replay, answer="y\n")
    assert status == 0
    assert len(await here.stored(parked)) == 2
    nothing_left = await here.run(tmp_path, *replay)
    assert nothing_left.exit_code == 0
    assert "again?" not in nothing_left.stdout


async def test_a_reader_that_is_gone_is_no_failure_of_kafka(
    here: Operation, tmp_path: Path
) -> None:
    """As in `ampgate dead-letters list --json | head -1`."""
    await die(here, letter("t/0/1"))
    environment = os.environ | {"AMPGATE_CONFIG": str(here.write(tmp_path))}
    read, written = os.pipe()
    os.close(read)
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "ampgate", "dead-letters", "list", "--json"],
        env=environment,
        stdout=written,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(written)
    assert (ended.returncode, ended.stderr) == (1, b"")
