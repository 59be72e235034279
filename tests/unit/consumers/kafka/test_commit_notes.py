"""What is committed beside an offset says all that it has room for, and never too much."""

import json
from base64 import b64encode
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.clocks import Held
from consumers.delivery.offsets import Offsets, Range, Unfinished
from consumers.kafka.commit_notes import (
    BYTES_MAX,
    RANGES_MAX,
    CommitNote,
    decoded,
    encoded,
    encoded_whole,
)

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
    assert (note.left.read_to, note.paused) == (read_to, paused)
    assert note.held in (HELD, {})
    told = list(note.left.unsettled)
    assert told[:-1] == unsettled[: len(told[:-1])]
    if told:
        assert told[-1] == (unsettled[len(told) - 1][0], unsettled[-1][1])
    if len(unsettled) < BYTES_MAX // 50:
        assert told == unsettled
    whole = CommitNote(Unfinished(read_to, unsettled), paused, HELD)
    assert decoded(encoded_whole(whole, committed), committed) == whole


def test_a_note_of_many_parked_records_is_cut_before_it_is_written() -> None:
    """Each try to write it would take seconds, in which nothing else goes on."""
    offsets = Offsets(0)
    offsets.read(range(100_000), 100_000)
    offsets.settle(range(1, 100_000, 2))
    unsettled = [(offset, offset) for offset in range(0, 100_000, 2)]
    left = offsets.unfinished(RANGES_MAX)
    assert left.unsettled == [*unsettled[: RANGES_MAX - 1], (2 * RANGES_MAX - 2, 99_999)]
    assert offsets.unfinished().unsettled == unsettled

    for known in (left, Unfinished(100_000, unsettled)):
        note = decoded(encoded(CommitNote(known, None, {}), 0), 0)
        assert note is not None
        assert len(note.left.unsettled) == RANGES_MAX
        assert note.left.unsettled[:-1] == unsettled[: RANGES_MAX - 1]
        assert note.left.unsettled[-1][0] == 2 * RANGES_MAX - 2


@given(seed=st.integers(0, 2**32))
def test_of_50000_records_3000_may_be_unsettled_here_and_there_and_all_are_told(
    seed: int,
) -> None:
    unsettled = [(offset, offset) for offset in sorted(Random(seed).sample(range(50_000), 3000))]
    note = CommitNote(Unfinished(50_000, unsettled), None, {})

    assert decoded(encoded(note, 0), 0) == note


def test_a_note_of_the_former_version_is_still_read() -> None:
    text = '{"committed":97,"read":120,"unsettled":[0,1,12,10],"paused":null,"held":{}}'
    left = Unfinished(120, [(97, 97), (110, 119)])

    assert decoded(text, 97) == CommitNote(left, None, {})


def test_a_note_of_a_later_version_says_nothing() -> None:
    assert decoded('{"version":3,"committed":97,"read":120,"runs":"AwADAA=="}', 97) is None


@given(st.one_of(st.text(), st.binary().map(lambda runs: b64encode(runs).decode())))
def test_no_runs_make_a_reader_fail(runs: str) -> None:
    text = json.dumps({"version": 2, "committed": 1, "read": 9, "runs": runs})

    assert decoded(text, 2) is None
    decoded(text, 1)


def test_metadata_of_other_tools_and_of_older_formats_says_nothing() -> None:
    for text in ("", "reset by hand", "[]", '{"read": 12, "unsettled": [[1, 2]]}', "\x00"):
        assert decoded(text, 1) is None


def test_a_note_says_nothing_beside_another_offset_than_its_own() -> None:
    note = CommitNote(Unfinished(20, [(15, 15)]), None, {})
    text = encoded(note, committed=10)

    assert decoded(text, 10) == note
    assert decoded(text, 0) is None
