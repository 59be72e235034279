"""Of reconciliations that use the same files, one waits for the other."""

import asyncio
from pathlib import Path

import pytest

from ampgate.errors import CommandError
from ampgate.reconcile.workspace import workspace


def nothing() -> None:
    pass


async def test_a_second_one_waits_until_the_first_has_ended(tmp_path: Path) -> None:
    waits, order = asyncio.Event(), list[str]()

    async def second() -> None:
        async with workspace(tmp_path, "p", waits.set):
            order.append("second")

    async with workspace(tmp_path, "p", nothing) as (_, hours):
        waiting = asyncio.create_task(second())
        await waits.wait()
        await asyncio.to_thread(hours.mkdir)
        order.append("first")
    await waiting
    assert order == ["first", "second"]
    assert not hours.exists()


async def test_exports_that_an_interrupted_one_left_are_of_its_own_project_only(
    tmp_path: Path,
) -> None:
    hours = tmp_path / "hours-staging"

    async def interrupted() -> None:
        async with workspace(tmp_path, "staging", nothing) as (_, own):
            await asyncio.to_thread(own.mkdir)
            raise CommandError("interrupted")

    with pytest.raises(CommandError):
        await interrupted()
    async with workspace(tmp_path, "production", nothing) as (_, others):
        assert not others.exists()
    async with workspace(tmp_path, "staging", nothing) as (_, again):
        assert (again, again.exists()) == (hours, True)


async def test_what_a_killed_one_left_is_taken_away(tmp_path: Path) -> None:
    left = tmp_path / "tables-killed"
    await asyncio.to_thread(left.mkdir)
    async with workspace(tmp_path, "p", nothing) as (tables, _):
        assert (left.exists(), tables.exists()) == (False, True)


async def test_a_place_that_takes_no_folder_is_told_with_the_way_out(tmp_path: Path) -> None:
    (file := tmp_path / "file").touch()
    with pytest.raises(CommandError, match=r"cannot be kept in .*/file/exports: .*--dir names"):
        async with workspace(file / "exports", "project", lambda: None):
            pass
