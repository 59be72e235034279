"""An interrupted backfill is found again by the words of its command."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.backfill.run_directory import run_directory
from ampgate.errors import CommandError

HOUR_MS = 3_600_000
WORDS = ("us", "aampe", "7d", "now")


def test_the_same_words_go_on_with_a_run_hours_later(tmp_path: Path) -> None:
    first = run_directory(tmp_path, WORDS, HOUR_MS)
    assert not first.is_going_on
    first.begin()

    later = run_directory(tmp_path, WORDS, 5 * HOUR_MS)
    later.begin()
    assert (later.path, later.begun_ms, later.is_going_on) == (first.path, HOUR_MS, True)
    assert not run_directory(tmp_path, ("us", "aampe", "8d", "now"), 5 * HOUR_MS).is_going_on


def test_a_run_that_was_only_planned_has_not_begun(tmp_path: Path) -> None:
    run_directory(tmp_path, WORDS, HOUR_MS)
    assert list(tmp_path.iterdir()) == []


def test_of_two_calls_in_the_same_instant_one_begins(tmp_path: Path) -> None:
    """Both would send all of it, and one would delete the other's files."""
    first, second = (run_directory(tmp_path, WORDS, HOUR_MS) for _ in range(2))
    first.begin()
    first.note_written(7)
    with pytest.raises(CommandError, match="another call of this command"):
        second.begin()
    assert first.written == 7


def test_what_is_written_is_known_until_the_run_is_done(tmp_path: Path) -> None:
    run = run_directory(tmp_path, WORDS, HOUR_MS)
    run.begin()
    assert run.written == 0
    run.note_written(700)
    assert run_directory(tmp_path, WORDS, 2 * HOUR_MS).written == 700

    run.end()
    assert list(tmp_path.iterdir()) == []


def test_files_of_a_run_that_is_done_are_not_taken_for_those_of_the_next_one(
    tmp_path: Path,
) -> None:
    """The command may have been ended while it took them away."""
    run = run_directory(tmp_path, WORDS, HOUR_MS)
    run.begin()
    run.note_written(700)
    (run.path / "history.db").touch()
    (run.path / "begun").unlink()

    following = run_directory(tmp_path, WORDS, 200 * HOUR_MS)
    following.begin()
    assert (following.begun_ms, following.written) == (200 * HOUR_MS, 0)
    assert [file.name for file in run.path.iterdir()] == ["begun"]


@given(st.lists(st.text(max_size=5), min_size=4, max_size=4))
def test_no_word_leads_out_of_the_place(words: list[str]) -> None:
    path = run_directory(Path("place"), ("us", *words), 0).path
    assert path.parent == Path("place")
    assert path.name not in {".", ".."}
