"""An added partition waits for what is older of its keys, and for nothing else."""

from collections.abc import Callable, Collection
from random import Random

from pydantic import SecretStr

from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Response
from consumers.delivery.moved import Moved, Settled
from consumers.delivery.offsets import Unfinished
from consumers.destinations.amplitude.events import AmplitudeEvents
from schemas.records import Stored, TopicPartition
from schemas.vendors.amplitude import AmplitudeDestination

ADDED = 3
CONFIG = AmplitudeDestination(type="amplitude", name="a", api_key=SecretStr("k"))


class Behind:
    """The keys that were told to wait, the last time."""

    def __init__(self) -> None:
        self.keys: Collection[str] | None = ()
        self.may_be: Callable[[str], bool] | None = None

    def tell(
        self,
        number: int,
        keys: Collection[str] | None,
        may_be: Callable[[str], bool] | None = None,
    ) -> None:
        assert number == ADDED
        self.keys, self.may_be = keys, may_be


def test_nothing_is_read_before_the_others_are_settled_to_where_they_were() -> None:
    behind = Behind()
    moved = Moved(behind.tell)
    moved.assign(ADDED, {0: 10, 1: 20})
    assert (moved.unread, moved.others, behind.keys) == ({ADDED}, {0, 1}, None)

    assert moved.passed({0: Settled(10), 1: Settled(19)}) == []
    assert moved.passed({0: Settled(10), 1: Settled(5, Unfinished(30, [(7, 7)]))}) == []
    assert moved.passed({0: Settled(10), 1: Settled(5, Unfinished(19, ()))}) == []
    assert moved.passed({0: Settled(10)}) == []
    assert moved.passed({0: Settled(10), 1: Settled(5, Unfinished(30, [(20, 25)]))}) == [ADDED]

    moved.found(ADDED, {})
    assert (moved.unread, behind.keys, moved.after(ADDED)) == (set(), set(), {})
    assert not moved


def test_whose_records_are_parked_elsewhere_wait_until_all_of_them_are_settled() -> None:
    behind = Behind()
    moved = Moved(behind.tell)
    moved.assign(ADDED, {0: 10})
    moved.found(ADDED, {0: {4: "ann", 6: "bob"}, 1: {8: "ann"}})
    assert (moved.unread, moved.parked, behind.keys) == (set(), {0, 1}, {"ann", "bob"})

    moved.settled({0: Settled(7), 1: Settled(8)})
    assert (moved.parked, behind.keys, moved.after(ADDED)) == ({1}, {"ann"}, {0: 10})
    moved.settled({1: Settled(0, Unfinished(9, [(3, 5)]))})
    assert (behind.keys, moved.after(ADDED)) == (set(), {})


def test_what_was_looked_for_while_a_partition_was_given_away_is_nobodys() -> None:
    behind = Behind()
    moved = Moved(behind.tell)
    moved.assign(ADDED, {0: 10})
    moved.revoke(ADDED)
    moved.found(ADDED, {0: {4: "ann"}})
    assert (moved.parked, behind.keys) == (set(), None)


def test_a_partition_that_keys_moved_to_is_read_and_only_these_keys_wait() -> None:
    behind = Behind()
    moved = Moved(behind.tell)
    moved.assign(ADDED, {0: 10, 1: 20}, "ann".__eq__)
    assert (moved.unread, moved.others, behind.keys) == (set(), {0, 1}, None)
    assert behind.may_be is not None
    assert (behind.may_be("ann"), behind.may_be("bob")) == (True, False)

    assert moved.passed({0: Settled(10), 1: Settled(20)}) == [ADDED]
    moved.found(ADDED, {0: {4: "ann"}})
    assert (behind.keys, moved.after(ADDED)) == ({"ann"}, {0: 10, 1: 20})
    moved.settled({0: Settled(5)})
    assert (behind.keys, moved.after(ADDED)) == (set(), {})


def test_a_user_who_is_throttled_is_parked_where_an_added_partition_waits_for_it() -> None:
    delivery = Delivery(
        AmplitudeEvents(CONFIG),
        topic="events",
        parked_topic="parked",
        memory_max_bytes=10_000_000,
        random=Random(1),
    )
    for topic in ("events", "parked"):
        delivery.assign(TopicPartition(topic, 0), 0)
        delivery.assign(TopicPartition(topic, 1), 0, after={0: 2} if topic == "events" else None)
    own = TopicPartition("events", 0)
    value = b'{"event_type":"Bought","user_id":"%b"}'
    delivery.accept([Stored(*own, n, 0, b"ann", value % b"ann", ()) for n in range(2)], 0.0)
    batch = delivery.next_batch(10.0)
    assert batch is not None
    delivery.settle(batch, Response(429, b'{"code":429,"throttled_users":{"ann":1001}}'), 10.0)
    letters = [delivery.next_parking(), delivery.next_parking()]
    assert [letter and letter.entry.offset for letter in letters] == [0, 1]
    delivery.parked(letter for letter in letters if letter is not None)
    assert delivery.committable()[own] == 2
