"""An interrupted backfill is found again by the words of its command."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ampgate.backfill.run_directory import run_directory

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


@given(st.lists(st.text(max_size=5), min_size=4, max_size=4))
def test_no_word_leads_out_of_the_place(words: list[str]) -> None:
    path = run_directory(Path("place"), ("us", *words), 0).path
    assert path.parent == Path("place")
    assert path.name not in {".", ".."}
