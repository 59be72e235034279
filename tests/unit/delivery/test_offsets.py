"""What a commit's note may say of the offsets that are not settled."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.offsets import Offsets

READ = st.lists(st.integers(0, 60), unique=True, max_size=40).map(sorted)


@given(read=READ, chosen=st.randoms(use_true_random=False), limit=st.integers(1, 5))
def test_every_unsettled_offset_is_in_a_range_and_no_other_unless_there_are_too_many(
    read: list[int], chosen: Random, limit: int
) -> None:
    settled = [offset for offset in read if chosen.random() < 0.5]
    offsets = Offsets(0)
    for offset in read:
        offsets.read(offset)
    offsets.settle(settled)
    unsettled = set(read) - set(settled)

    ranges = offsets.unsettled_ranges(limit)
    told = {offset for offset in read if any(a <= offset <= b for a, b in ranges)}
    assert unsettled <= told
    assert len(ranges) <= limit
    assert all(a <= b < offsets.read_to for a, b in ranges)
    if len(offsets.unsettled_ranges(100)) <= limit:
        assert told == unsettled
