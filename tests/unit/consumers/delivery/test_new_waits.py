"""After a reply, who is not held any more is free, although most are not asked again."""

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.clocks import Clocks
from consumers.delivery.destination import Encoded
from consumers.delivery.entry import Entry
from consumers.delivery.lanes import Lane
from consumers.delivery.offsets import Offsets
from consumers.delivery.outcomes import Id
from consumers.delivery.policy import USUAL
from schemas.records import Stored, TopicPartition
from tests.examples import examples

HOLD_SECONDS = 2.0
PLACE = TopicPartition("events", 0)
OFFSETS = Offsets(0)
Step = Literal["hold", "wait", "a second passes", "reply"]
steps = st.sampled_from(["hold", "wait", "a second passes", "reply"])


def entry_of(user: str) -> Entry:
    record = Stored(*PLACE, 0, 1, user.encode(), b"{}", ())
    return Entry(record, OFFSETS, 0, Encoded(b"{}", user, user), size=2)


@examples(300)
@given(st.lists(st.tuples(steps, st.sampled_from(["ann", "bob"])), max_size=20))
def test_after_a_reply_only_held_keys_wait(happened: list[tuple[Step, str]]) -> None:
    clocks, lane, now = Clocks(), Lane(PLACE, OFFSETS, USUAL), 0.0
    for step, user in happened:
        match step:
            case "hold":
                clocks.hold(Id("user", user), now + HOLD_SECONDS, "throttled")
            case "wait":
                lane.wait(entry_of(user))
            case "a second passes":
                now += 1.0
                clocks.wake(now)
            case "reply":
                waiting = set(lane.waiting)
                keys = lane.may_be_free.to_see(lane.waiting, clocks.ended)
                lane.release(keys, lambda entry: entry.encoded.user_id in clocks.users)

                assert set(lane.waiting) == waiting & set(clocks.users)
