"""What is committed beside an offset says all that it has room for, and never too much."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.commit_notes import BYTES_MAX, CommitNote, decoded, encoded
from consumers.delivery.clocks import Held
from consumers.delivery.offsets import Range, Unfinished

HELD = {97: Held("user", "exceeded_daily_quota", 1763715600.125)}


@st.composite
def ranges(draw: st.DrawFn) -> tuple[int, list[Range]]:
    """A committed offset, and ranges from there on."""
    steps = draw(st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 10**9)), max_size=600))
    committed = at = draw(st.integers(0, 10**15))
    found = []
    for gap, length in steps:
        found.append((at + gap, at + gap + length - 1))
        at += gap + length
    return committed, found


@given(known=ranges(), paused=st.sampled_from([None, "status_401"]))
def test_a_note_comes_back_whole_or_with_a_last_range_that_covers_the_rest(
    known: tuple[int, list[Range]], paused: str | None
) -> None:
    committed, unsettled = known
    read_to = unsettled[-1][1] + 1 if unsettled else committed
    text = encoded(CommitNote(Unfinished(read_to, unsettled), paused, HELD), committed)
    assert len(text.encode()) <= BYTES_MAX

    note = decoded(text, committed)
    assert note is not None
    assert (note.left.read_to, note.paused, note.held) == (read_to, paused, HELD)
    told = list(note.left.unsettled)
    assert told[:-1] == unsettled[: len(told[:-1])]
    if told:
        assert told[-1] == (unsettled[len(told) - 1][0], unsettled[-1][1])
    if len(unsettled) < BYTES_MAX // 50:
        assert told == unsettled


def test_metadata_of_other_tools_and_of_older_formats_says_nothing() -> None:
    for text in ("", "reset by hand", "[]", '{"read": 12, "unsettled": [[1, 2]]}', "\x00"):
        assert decoded(text, 1) is None


def test_a_note_says_nothing_beside_another_offset_than_its_own() -> None:
    note = CommitNote(Unfinished(20, [(15, 15)]), None, {})
    text = encoded(note, committed=10)

    assert decoded(text, 10) == note
    assert decoded(text, 0) is None
