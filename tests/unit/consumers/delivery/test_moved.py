"""An added partition waits for what is older of its keys, and for nothing else."""

from collections.abc import Callable, Collection

from consumers.delivery.moved import Moved, Settled
from consumers.delivery.offsets import Unfinished

ADDED = 3


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
