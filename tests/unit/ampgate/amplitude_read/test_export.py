"""An export comes window by window, and only whole ones count."""

import errno
import gzip
import time
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.amplitude_read.client import read_client
from ampgate.amplitude_read.database import opened_database, read_rows
from ampgate.amplitude_read.export import Exported, Exports, _unpacked
from ampgate.amplitude_read.hours import HOUR_MS, Hours, TooLargeError, Windows, hour_of
from ampgate.errors import CommandError
from tests.loopback import loopback_client
from tests.operating import set_faults, simulating
from tests.unit.ampgate.amplitude_read.test_client import destination

EXPORT = {"match": {"path": "/api/2/export"}}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def exports(url: str, directory: Path, *, days: int = 0) -> AsyncIterator[Exports]:
    """As they are so many days from now."""
    async with read_client(destination(url), directory / "cache") as client:
        windows: list[Exported] = []
        at_ms = now_ms() + days * 24 * HOUR_MS
        yield Exports(client, directory / "hours", at_ms, windows.append)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with simulating("amplitude") as url:
        events = [{"event_type": "a", "user_id": "user-1", "insert_id": f"i{n}"} for n in range(10)]
        async with loopback_client() as client:
            await client.post(f"{url}/batch", json={"api_key": "k", "events": events})
        yield url


@pytest.fixture
def now(url: str) -> int:
    """The hour in which the events were uploaded."""
    assert url
    return hour_of(now_ms())


async def rows(found: Exports, hours: Hours) -> int:
    return sum([window.rows async for window in found.windows(hours)])


@given(st.integers(0, 200), st.lists(st.sampled_from(["small", "large", "refused"]), max_size=400))
def test_each_hour_is_asked_for_until_it_is_done_and_none_twice(
    last: int, answers: list[str]
) -> None:
    windows = Windows(Hours(0, last))
    done: list[int] = []
    for answer in answers:
        if (asked := windows.next()) is None:
            break
        if answer == "refused":
            if len(asked) > 1:
                windows.halve(asked)
            else:
                with pytest.raises(TooLargeError):
                    windows.halve(asked)
            continue
        done += range(asked.first, asked.last + 1)
        windows.done(asked)
        windows.sized(0 if answer == "small" else 10**9)

    assert done == list(range(len(done)))
    if windows.next() is None:
        assert len(done) == last + 1


async def test_what_is_too_much_at_once_is_asked_for_in_halves(
    url: str, tmp_path: Path, now: int
) -> None:
    too_much = {"kind": "empty", "status": 504}
    await set_faults(url, {**EXPORT, "times": 1, "effect": too_much})
    async with exports(url, tmp_path) as found:
        windows = Windows(Hours(now - 1, now), width=2)
        asked = windows.next()
        assert asked is not None
        found.directory.mkdir()
        assert await found.download(asked) is None
        windows.halve(asked)
        asked = windows.next()
        assert asked == Hours(now - 1, now - 1)
        whole = await found.download(Hours(now, now))
        assert whole is not None
        assert whole.rows == 10


async def test_an_hour_that_is_too_large_alone_is_told(url: str, tmp_path: Path, now: int) -> None:
    await set_faults(url, {**EXPORT, "effect": {"kind": "answer", "status": 400}})
    async with exports(url, tmp_path) as found:
        with pytest.raises(CommandError, match=r"does not export the hour .* over 4 GB"):
            await rows(found, Hours(now, now))


async def test_whole_windows_are_kept_and_not_asked_for_again(
    url: str, tmp_path: Path, now: int
) -> None:
    async with exports(url, tmp_path, days=1) as found:
        assert await rows(found, Hours(now - 1, now)) == 10
    await set_faults(url, {**EXPORT, "effect": {"kind": "answer", "status": 400}})
    async with exports(url, tmp_path, days=1) as found:
        assert await rows(found, Hours(now - 1, now)) == 10


async def test_an_hour_that_was_not_over_is_asked_for_again(
    url: str, tmp_path: Path, now: int
) -> None:
    async with exports(url, tmp_path) as found:
        assert await rows(found, Hours(now, now)) == 10
    async with loopback_client() as client:
        await client.post(f"{url}/_reset")
    async with exports(url, tmp_path) as found:
        assert await rows(found, Hours(now, now)) == 0


async def test_what_was_interrupted_is_no_window(url: str, tmp_path: Path, now: int) -> None:
    await set_faults(url, {**EXPORT, "effect": {"kind": "cut", "bytes": 20}})
    async with exports(url, tmp_path, days=1) as found:
        with pytest.raises(CommandError, match="comes damaged"):
            await rows(found, Hours(now, now))
    await set_faults(url)
    async with exports(url, tmp_path, days=1) as found:
        assert await rows(found, Hours(now, now)) == 10


async def test_a_disk_that_is_full_is_told_and_the_rest_comes_later(
    url: str, tmp_path: Path, now: int
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")

    def write(_: int) -> None:
        raise full

    async with exports(url, tmp_path, days=1) as found:
        with pytest.raises(CommandError, match="is full; what is whole stays there"):
            await rows(replace(found, on_bytes=write), Hours(now, now))
        assert await rows(found, Hours(now, now)) == 10


@pytest.mark.parametrize("status", [404, 400])
async def test_a_wrong_address_is_no_project_without_events(
    url: str, tmp_path: Path, now: int, status: int
) -> None:
    """A proxy, or another API, answers 404 to whatever it does not know."""
    await set_faults(url, {"effect": {"kind": "html", "status": status}})
    async with exports(url, tmp_path) as found:
        with pytest.raises(CommandError, match=f"status {status}; .* correct its read_url"):
            await rows(found, Hours(now, now))


async def test_hours_without_events_are_windows_without_rows(
    url: str, tmp_path: Path, now: int
) -> None:
    page = {"match": {"path": "/api/2/events/list"}, "effect": {"kind": "html", "status": 404}}
    await set_faults(url, page)  # Amplitude's own words need no other question.
    async with exports(url, tmp_path) as found:
        assert await rows(found, Hours(now - 9, now - 2)) == 0


async def test_what_turns_out_to_be_damaged_is_asked_for_again(
    url: str, tmp_path: Path, now: int
) -> None:
    """A line that was cut off in a whole file: only whoever reads the lines sees it."""
    async with exports(url, tmp_path, days=1) as found:
        (window,) = [one async for one in found.windows(Hours(now, now))]
        (file,) = window.files
        file.write_bytes(gzip.compress(b'{"event_type": "a'))
        with (
            opened_database(tmp_path / "some.db", {}) as database,
            pytest.raises(CommandError, match="is not as documented"),
        ):
            read_rows(database, "select * from read_ndjson_objects($files)", window)
        assert gzip.decompress(file.read_bytes())  # To be looked at.
        (again,) = [one async for one in found.windows(Hours(now, now))]
    assert again.rows == 10
    assert gzip.decompress(again.files[0].read_bytes()).count(b"\n") == 10


async def test_files_of_an_archive_may_be_empty_or_of_several_members(tmp_path: Path) -> None:
    archive, into = tmp_path / "a.zip", tmp_path / "into"
    into.mkdir()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("empty.json.gz", b"")
        zipped.writestr("folder/", b"")
        zipped.writestr("two.json.gz", gzip.compress(b"{}\n") + gzip.compress(b"{}\n{}"))
    assert _unpacked(archive, into) == 3
    assert len(list(into.iterdir())) == 1
