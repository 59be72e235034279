"""Which records have to wait when they are drawn: their user, device or key is held or parked."""

from collections.abc import Callable, Container, Mapping, Sequence

from consumers.delivery.clocks import Clocks
from consumers.delivery.entry import Entry
from consumers.delivery.lanes import Lane
from consumers.delivery.parking import ParkedPartition
from consumers.delivery.run import Run

MustWait = Callable[[Entry], bool]


class Blocked:
    def __init__(self, clocks: Clocks, parked: Mapping[int, ParkedPartition]) -> None:
        """Both change."""
        self._clocks = clocks
        self._parked = parked

    def one(self, lane: Lane) -> MustWait:
        """Whether an entry of this lane has to wait: asked of each that is drawn."""
        waiting, parked = lane.waiting, self._parked.get(lane.place.partition)
        clocks, is_parked = self._clocks, lane.is_parked
        keys, users, devices = clocks.keys, clocks.users, clocks.devices

        def must_wait(entry: Entry) -> bool:
            encoded = entry.encoded
            key = encoded.key
            if key in waiting or key in keys or encoded.user_id in users:
                return True
            if encoded.device_id in devices:
                return True
            if not parked:
                return False
            return parked.is_overtaking(key, entry.offset) if is_parked else key in parked

        return must_wait

    def among(self, lane: Lane, run: Run) -> Sequence[bool] | None:
        """Which of a run have to wait, as if they were drawn one after the other; None: none.

        A run was read from the topic itself, never from the parked one.
        """
        clocks, encoded = self._clocks, run.encoded
        keys = encoded.keys
        parked = self._parked.get(lane.place.partition)
        found = [
            *_positions(clocks.users, encoded.user_ids),
            *_positions(clocks.devices, encoded.device_ids),
            *_positions(clocks.keys, keys),
            *_positions(lane.waiting, keys),
            *(parked.among(keys) if parked else ()),
        ]
        if not found:
            return None
        # Later ones of their keys must not overtake them.
        first: dict[str, int] = {}
        for position in sorted(found):
            first.setdefault(keys[position], position)
        return [key in first and first[key] <= position for position, key in enumerate(keys)]


def _positions(held: Container[str | None], ids: Sequence[str | None]) -> list[int]:
    if not held:
        return []
    return [position for position, one in enumerate(ids) if one in held]
