"""The spool on disk: all that was kept is there, in order, whatever ended the process."""

import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.spool.spool import Entry, Spool
from schemas.records import NewRecord

BYTES_MAX = 10_000_000
LOT = 100


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "new" / "spool", BYTES_MAX)


def entry(name: str, size: int = 10) -> Entry:
    return Entry("events", 1_700_000_000_000, [NewRecord(name.encode(), b"v" * size)])


def names(spool: Spool) -> list[str]:
    rows = spool.first(BYTES_MAX)
    return [(one.key or b"").decode() for row in rows for one in row.entry.records]


def test_records_come_back_as_they_were(spool: Spool) -> None:
    records = [
        NewRecord(None, b"\x00\xff", [("source", b"shop"), ("empty", None)]),
        NewRecord("ключ".encode(), b"{}"),
    ]
    spool.keep([Entry("events", 5, records), Entry("dead-letters", 6, [])])
    events, letters = (row.entry for row in spool.first(BYTES_MAX))
    assert (events.topic, events.at_ms) == ("events", 5)
    assert [(one.key, one.value, list(one.headers)) for one in events.records] == [
        (None, b"\x00\xff", [("source", b"shop"), ("empty", None)]),
        ("ключ".encode(), b"{}", []),
    ]
    assert letters == Entry("dead-letters", 6, [])


@given(st.lists(st.sampled_from(["keep", "keep", "take", "open"]), max_size=30))
def test_it_is_a_queue_on_disk(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    directory = tmp_path_factory.mktemp("spool")
    spool, waiting = Spool(directory, BYTES_MAX), list[str]()
    for number, step in enumerate(steps):
        if step == "keep":
            spool.keep([entry(f"{number}a"), entry(f"{number}b", LOT)])
            waiting += [f"{number}a", f"{number}b"]
        elif step == "take":
            rows = spool.first(LOT)
            spool.remove(rows)
            del waiting[: len(rows)]
        else:  # As after a kill: the former one is not closed first.
            former, spool = spool, Spool(directory, BYTES_MAX)
            former.close()
        assert spool.gate.is_open is not bool(waiting)
        assert spool.look().records == len(waiting)
        assert (spool.level.oldest_ms is None) is not bool(waiting)
    assert names(spool) == waiting
    spool.close()


def test_a_write_that_was_cut_anywhere_leaves_what_was_kept_before_it(
    tmp_path: Path, spool: Spool
) -> None:
    spool.keep([entry("first")])
    directory = tmp_path / "new" / "spool"
    before = (directory / "spool.sqlite-wal").stat().st_size
    spool.keep([entry("second", 9_000), entry("third")])
    whole = (directory / "spool.sqlite-wal").read_bytes()
    assert len(whole) > before
    for end in range(before, len(whole) + 1, 97):
        cut = tmp_path / f"cut-{end}"
        cut.mkdir()
        shutil.copy(directory / "spool.sqlite", cut)
        (cut / "spool.sqlite-wal").write_bytes(whole[:end])
        opened = Spool(cut, BYTES_MAX)
        assert names(opened) in (["first"], ["first", "second", "third"])
        opened.close()


def test_it_takes_no_more_than_its_bytes_and_more_again_once_there_is_room(tmp_path: Path) -> None:
    spool, kept = Spool(tmp_path, 500_000), 0
    with suppress(sqlite3.Error):
        while True:
            spool.keep([entry(f"{kept}", 20_000)])
            kept += 1
    assert 18 <= kept <= 25
    assert names(spool) == [f"{number}" for number in range(kept)]
    assert (tmp_path / "spool.sqlite").stat().st_size <= 500_000
    spool.remove(spool.first(40_000))
    spool.keep([entry("again", 20_000)])
    spool.close()


def test_what_is_free_goes_back_to_the_file_system(tmp_path: Path) -> None:
    spool = Spool(tmp_path, BYTES_MAX)
    spool.keep([entry("large", 2_000_000)])
    spool.remove(spool.first(BYTES_MAX))
    spool.shrink()
    sizes = [(tmp_path / name).stat().st_size for name in ("spool.sqlite", "spool.sqlite-wal")]
    assert sum(sizes) < 100_000
    spool.close()


def test_the_gate_closes_on_the_last_lot_and_opens_when_nothing_is_left(spool: Spool) -> None:
    def stands() -> str:
        gate = spool.gate
        return "closing" if gate.is_closing else "open" if gate.is_open else "shut"

    spool.keep([entry("a", LOT), entry("b", LOT), entry("c", LOT)])
    spool.remove(spool.first(LOT))
    assert stands() == "shut"
    last = spool.first(LOT * 3)
    assert stands() == "closing"
    spool.keep([entry("d", LOT)])  # It came before.
    spool.remove(last)
    assert stands() == "closing"
    spool.remove([], is_over=True)
    assert stands() == "shut"
    spool.remove(spool.first(LOT * 3))
    assert stands() == "open"


def test_each_topic_can_be_taken_out_by_itself(spool: Spool) -> None:
    assert spool.topics() == []
    for topic in ("b", "a", "b", "c", "a"):
        spool.keep([entry(topic)._replace(topic=topic)])
    assert spool.topics() == ["a", "b", "c"]
    rows = spool.first(BYTES_MAX, "b")
    assert [row.entry.topic for row in rows] == ["b", "b"]
    assert not spool.gate.is_closing
    spool.remove(rows)
    assert spool.topics() == ["a", "c"]


def test_every_commit_waits_for_the_disk(spool: Spool) -> None:
    """`synchronous` 2 is FULL."""
    assert spool._number("PRAGMA synchronous") == 2
    assert spool._ask("PRAGMA journal_mode").fetchone() == ("wal",)
