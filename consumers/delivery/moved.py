"""Keys that moved to another partition when partitions were added: older records are sent first.

Theory of operation: a key's partition is its hash modulo the number of partitions. When that number
is multiplied, a key stays in its partition or moves to an added one. An added partition is not read
before the others are settled up to the ends that they had when it got its first owner. Records that
were parked by then stay where they are: the keys of these records, and no others, wait in the added
partition until a commit shows that these records are settled. The ends are noted in the commit of
the added partition, for its next owner.

When the number is not multiplied (from 4 to 6), keys move between the other partitions, too. These
go on being read; only the keys that were elsewhere before wait, as above. By how many partitions
the keys were divided is noted in each commit.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from consumers.delivery.offsets import Unfinished

Ends = Mapping[int, int]  # Of the other partitions, by number.
ParkedKeys = dict[int, dict[int, str]]  # By parked partition, then by offset.


class WaitBehind(Protocol):
    def __call__(
        self,
        partition: int,
        keys: Collection[str] | None,
        may_be: Callable[[str], bool] | None = None,
        /,
    ) -> None:
        """These keys of a partition wait; None: all that `may_be`, or all, until it is known."""


@dataclass(frozen=True, slots=True)
class Settled:
    """How far a partition is settled, by the last commit of its group."""

    committed: int
    left: Unfinished | None = None

    def has(self, offset: int) -> bool:
        if offset < self.committed:
            return True
        return self.left is not None and self.left.has_settled(offset)

    def has_all_before(self, end: int) -> bool:
        if self.committed >= end:
            return True
        if self.left is None or self.left.read_to < end:
            return False
        return not self.left.unsettled or self.left.unsettled[0][0] >= end


class Moved:
    """What the added partitions of ours wait for in others."""

    def __init__(self, wait_behind: WaitBehind) -> None:
        self._wait_behind = wait_behind
        self._after: dict[int, Ends] = {}
        self._divided_anew: set[int] = set()  # Of these, the ones that are not added.
        self._parked: dict[int, ParkedKeys] = {}  # By added partition that may be read.

    def __bool__(self) -> bool:
        return bool(self._after)

    def assign(
        self, number: int, after: Ends, has_moved: Callable[[str], bool] | None = None
    ) -> None:
        """`has_moved`: the partition is no added one, and only these keys are new in it."""
        self._after[number] = after
        if has_moved is not None:
            self._divided_anew.add(number)
        self._wait_behind(number, None, has_moved)

    def revoke(self, number: int) -> None:
        self._after.pop(number, None)
        self._divided_anew.discard(number)
        self._parked.pop(number, None)

    def after(self, number: int) -> Ends:
        """What a partition waits for, to note for its next owner; empty if for nothing."""
        return self._after.get(number, {})

    @property
    def unread(self) -> set[int]:
        """Added partitions of which nothing may be read yet."""
        return self._looked_for - self._divided_anew

    @property
    def _looked_for(self) -> set[int]:
        return self._after.keys() - self._parked.keys()

    @property
    def others(self) -> set[int]:
        """Partitions of the topic that have to be settled first."""
        return {other for number in self._looked_for for other in self._after[number]}

    @property
    def parked(self) -> set[int]:
        """Partitions of the parked topic that hold records of a moved key."""
        return {other for keys in self._parked.values() for other in keys}

    def passed(self, others: Mapping[int, Settled]) -> list[int]:
        """Partitions that wait only for parked records now: look for these, then call `found`."""
        return [
            number
            for number in self._looked_for
            if all(
                other in others and others[other].has_all_before(end)
                for other, end in self._after[number].items()
            )
        ]

    def found(self, number: int, parked: ParkedKeys) -> None:
        """Records parked in other partitions, not settled, whose keys are in this partition now."""
        if number in self._after:
            self._parked[number] = parked
            self._tell(number)

    def settled(self, parked: Mapping[int, Settled]) -> None:
        """How far the partitions with parked records are settled by now."""
        for number, waiting in list(self._parked.items()):
            self._parked[number] = {
                other: left
                for other, keys in waiting.items()
                if (left := {at: key for at, key in keys.items() if not parked[other].has(at)})
            }
            self._tell(number)

    def _tell(self, number: int) -> None:
        keys = {key for found in self._parked[number].values() for key in found.values()}
        self._wait_behind(number, keys)
        if not keys:
            self.revoke(number)
