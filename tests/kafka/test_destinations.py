"""What a removed destination left behind is named or dropped."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from ampgate.destinations.groups import groups_of
from tests.eventually import seen
from tests.kafka.left_behind import NEW, standings, stocked, without
from tests.operating import AAMPE, AMPLITUDE, Operation


async def test_a_destination_that_is_gone_is_listed_with_what_it_left(
    here: Operation, tmp_path: Path
) -> None:
    await stocked(here)
    found = await standings(here, tmp_path)
    assert [found[AMPLITUDE][name] for name in ("configured", "unread", "parked")] == [True, 4, 5]

    found = await standings(without(here, AMPLITUDE), tmp_path)
    assert set(found) == {AMPLITUDE, AAMPE}
    gone = found[AMPLITUDE]
    assert gone == {
        "destination": AMPLITUDE,
        "configured": False,
        "members": 0,
        "offsets": True,
        "unread": 4,
        "parked": 5,
        "left_behind": True,
    }


async def test_what_is_forgotten_does_not_wait_any_more(here: Operation, tmp_path: Path) -> None:
    await stocked(here)
    world = without(here, AMPLITUDE)

    ran = await world.run(tmp_path, "destinations", "forget", AMPLITUDE)
    assert ran.exit_code == 0, ran.output
    assert "4 unread records" in ran.stdout
    assert "5 parked records" in ran.stdout

    assert set(await standings(world, tmp_path)) == {AAMPE}
    found = await standings(here, tmp_path)  # Under the same name again: a new destination.
    assert (found[AMPLITUDE]["offsets"], found[AMPLITUDE]["parked"]) == (False, 0)
    again = await world.run(tmp_path, "destinations", "forget", AMPLITUDE)
    assert again.exit_code == 1


async def test_without_parked_records_the_groups_are_dropped_whole(
    here: Operation, tmp_path: Path
) -> None:
    await stocked(here, parked=0)
    ran = await without(here, AMPLITUDE).run(tmp_path, "destinations", "forget", AMPLITUDE)
    assert ran.exit_code == 0, ran.output
    async with groups_of(here.config.kafka) as groups:
        assert [one.destination for one in await groups.all()] == []


async def test_a_configured_destination_is_not_forgotten(here: Operation, tmp_path: Path) -> None:
    await stocked(here)
    ran = await here.run(tmp_path, "destinations", "forget", AMPLITUDE)
    assert ran.exit_code == 1
    assert (await standings(here, tmp_path))[AMPLITUDE]["parked"] == 5


@pytest.mark.parametrize("command", [("forget", AMPLITUDE), ("rename", AMPLITUDE, NEW)])
async def test_nothing_is_changed_while_it_is_delivered_to(
    here: Operation, tmp_path: Path, command: Sequence[str]
) -> None:
    await stocked(here)
    async with here.delivering(tmp_path):
        await seen(
            partial(standings, here, tmp_path),
            lambda found: int(str(found[AMPLITUDE]["members"])) > 0,
        )
        (apart := tmp_path / "apart").mkdir()
        ran = await without(here, AMPLITUDE).run(apart, "destinations", *command)
        assert ran.exit_code == 1
        assert "being delivered to" in str(ran.exception)
    assert (await standings(here, tmp_path))[AMPLITUDE]["offsets"] is True


@pytest.mark.parametrize("name", ["Amplitude", "edge", "a b", "", AMPLITUDE])
async def test_a_name_that_cannot_be_is_wrong_usage(
    here: Operation, tmp_path: Path, name: str
) -> None:
    assert (await here.run(tmp_path, "destinations", "rename", AMPLITUDE, name)).exit_code == 2


async def test_a_destination_that_never_was_is_said(here: Operation, tmp_path: Path) -> None:
    assert (await here.run(tmp_path, "destinations", "rename", "nobody", NEW)).exit_code == 1
    assert (await here.run(tmp_path, "destinations", "forget", "nobody")).exit_code == 1


async def test_somebody_at_a_terminal_is_asked(here: Operation, tmp_path: Path) -> None:
    await stocked(here)
    status, said = await here.run_at_terminal(
        tmp_path, "destinations", "rename", AMPLITUDE, NEW, answer="n\n"
    )
    assert status == 1, said
    assert (await standings(here, tmp_path))[AMPLITUDE]["parked"] == 5
