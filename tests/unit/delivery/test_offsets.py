"""What an owner of a partition leaves to the next: nothing is lost, and little is repeated."""

from bisect import bisect_left
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.offsets import Offsets

READ = st.lists(st.integers(0, 60), unique=True, max_size=40).map(sorted)
RANDOM = st.randoms(use_true_random=False)
PLENTY = 100


@given(read=READ, chosen=RANDOM, limit=st.integers(1, 5))
def test_every_unsettled_offset_is_in_a_range_and_no_other_unless_there_are_too_many(
    read: list[int], chosen: Random, limit: int
) -> None:
    settled = [offset for offset in read if chosen.random() < 0.5]
    offsets = Offsets(0)
    offsets.read(read, 61)
    offsets.settle(settled)
    unsettled = set(read) - set(settled)

    left = offsets.unfinished(limit)
    told = {offset for offset in read if not left.has_settled(offset)}
    assert unsettled <= told
    assert len(left.unsettled) <= limit
    assert left.read_to == 61
    if len(offsets.unfinished(PLENTY).unsettled) <= limit:
        assert told == unsettled


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
        committed, left = offsets.committable, offsets.unfinished(limit)
        told = {one for one in log if one < committed or left.has_settled(one)}
        assert told <= settled, "it would be lost"
        if len(offsets.unfinished(PLENTY).unsettled) <= limit:
            assert told >= known, "it would be repeated"
