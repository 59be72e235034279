"""What an owner of a partition leaves to the next: nothing is lost, and little is repeated."""

from bisect import bisect_left
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.offsets import SETTLED_MIN, Offsets, Unfinished, shortened
from tests.examples import examples

SOME = st.lists(st.integers(0, 60), unique=True, max_size=40).map(sorted)
READ = SOME | st.integers(0, 60).map(lambda end: list(range(end)))  # Some are skipped, or none.
RANDOM = st.randoms(use_true_random=False)


@given(read=READ, chosen=RANDOM, limit=st.integers(1, 5))
def test_every_unsettled_offset_is_in_a_range_and_no_other_unless_there_are_too_many(
    read: list[int], chosen: Random, limit: int
) -> None:
    settled = [offset for offset in read if chosen.random() < 0.5]
    offsets = Offsets(0)
    offsets.read(read, 61)
    offsets.settle(settled)
    unsettled = set(read) - set(settled)

    whole = offsets.unfinished()
    for left in (shortened(whole, limit), offsets.unfinished(limit)):
        told = {offset for offset in read if not left.has_settled(offset)}
        assert unsettled <= told
        assert len(left.unsettled) <= limit
        assert left.read_to == 61
    assert {offset for offset in read if not whole.has_settled(offset)} == unsettled


@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.5, 0.9, 0.999]))
@examples(10)
def test_what_is_settled_is_not_kept_in_mind_however_long_the_first_one_waits(
    seed: int, share: float
) -> None:
    chosen, offsets, unsettled = Random(seed), Offsets(0), {0}
    known: set[int] = set()
    for first in range(0, 100_000, 10_000):
        some = [offset for offset in range(first, first + 10_000) if chosen.random() < 0.9]
        read = some if first else [0, *some[1:]]
        offsets.read(read, first + 10_000)
        offsets.stamp(first, first)
        settled = [offset for offset in read if offset and chosen.random() < share]
        unsettled.update(set(read) - set(settled))
        offsets.settle(settled)
        known.update(read)

    told = {n for a, b in offsets.unfinished().unsettled for n in range(a, b + 1)}
    assert told & known == unsettled
    assert offsets.committable == 0
    assert offsets.unsettled == len(unsettled)
    assert offsets.span <= max(2 * len(unsettled), len(unsettled) + SETTLED_MIN)


@given(log=READ, chosen=RANDOM, limit=st.integers(1, 5))
def test_owner_after_owner_knows_what_was_settled_however_little_each_has_read(
    log: list[int], chosen: Random, limit: int
) -> None:
    settled: set[int] = set()
    committed, left = 0, None
    for _ in range(4):
        offsets = Offsets(committed, left)
        for offset in log[bisect_left(log, committed) : chosen.randint(0, len(log))]:
            assert offsets.was_settled(offset) == (left is not None and left.has_settled(offset))
            offsets.read((offset,), offset + 1)
            if offsets.was_settled(offset) or chosen.random() < 0.5:
                offsets.settle((offset,))
                settled.add(offset)
        known = {one for one in log if left is not None and left.has_settled(one)}
        whole = offsets.unfinished()
        committed, left = offsets.committable, shortened(whole, limit)
        told = {one for one in log if one < committed or left.has_settled(one)}
        assert told <= settled, "it would be lost"
        if len(whole.unsettled) <= limit:
            assert told >= known, "it would be repeated"


def test_what_cannot_be_read_any_more_is_counted_and_gone_past() -> None:
    """A former owner had settled all up to 120, but for 97 to 99 and 110."""
    offsets = Offsets(97, Unfinished(120, [(97, 99), (110, 110)]))

    assert offsets.lose(125, all_are_ours=True) == 3 + 1 + 5
    assert offsets.lose(125, all_are_ours=True) == 0
    assert offsets.committable == 125


def test_of_others_records_only_those_count_that_were_seen_to_be_ours() -> None:
    offsets = Offsets(97, Unfinished(120, [(97, 99), (110, 110)]))

    assert offsets.lose(125, all_are_ours=False) == 3 + 1


def test_what_was_lost_is_not_noted_as_unsettled() -> None:
    """Else a next owner would count it once more."""
    offsets = Offsets(0)
    offsets.read([0, 1], 2)
    offsets.lose(10, all_are_ours=True)
    offsets.read([10], 11)

    assert list(offsets.unfinished().unsettled) == [(0, 1), (10, 10)]


def test_what_was_asked_about_and_not_read_is_left_to_the_next_owner() -> None:
    """A worker that fails while it takes records in still commits."""
    left = Unfinished(100, [(10, 12), (50, 60)])
    offsets = Offsets(10, left)
    assert [offsets.was_settled(offset) for offset in (12, 13, 60, 61, 100)] == [
        False,
        True,
        False,
        True,
        False,
    ]
    assert offsets.unfinished() == left
