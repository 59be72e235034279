"""What must be true of the engine at every step, and of every request."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Limits
from consumers.delivery.lanes import Batch, Entry, Letter
from consumers.delivery.stock import RECORD_BYTES
from tests.simulation.subjects import Wire


def check_whereabouts(
    delivery: Delivery, in_flight: Iterable[Batch], letters: Iterable[Letter]
) -> None:
    """Everything unsettled is in one place, and counted once."""
    drawn: list[Entry] = []
    for lane in delivery._line:
        drawn += lane.queue
        for entries in lane.waiting.values():
            drawn += entries
    for batch in in_flight:
        for _, part in batch.parts:
            drawn += part
    for letter in (*letters, *delivery._stock.dead, *delivery._stock.leaving):
        drawn.append(letter.entry)
    everything = [one for entry in drawn for one in entry.parts or (entry,)]
    size = sum(RECORD_BYTES + len(entry.encoded.body) for entry in everything)
    assert delivery._stock.bytes == size, f"{size} bytes are there, not as counted"
    ours = [one for one in everything if one.offsets.is_ours]
    places = {(id(one.offsets), one.offset) for one in ours}
    assert len(places) == len(ours), "a record is in two places"
    unsettled = len(ours) + delivery.parked_records()
    assert delivery.unsettled() == unsettled, "a record is in no place"


def check_request(batch: Batch, wires: Sequence[Wire], limits: Limits, *, is_form: bool) -> None:
    assert 0 < len(wires) <= limits.records, "too many records in a request"
    size = sum(len(encoded.body) + 1 for encoded in batch.encoded)
    assert len(wires) == 1 or size <= limits.bytes + 1, "too many bytes in a request"
    carried = [name for wire in wires for name in wire.names]
    assert len(carried) == batch.records, "a record was merged away"
    if is_form:
        keys = {wire.key for wire in wires}
        assert len(keys) == len(wires), "two of one user or group in a request"
        for _, part in batch.parts:
            for entry in part:
                owners = {one.encoded.key for one in entry.parts}
                assert len(owners) < 2, "records of different users were merged"


def check_holds(wires: Sequence[Wire], held: Mapping[tuple[str, str], float], now: float) -> None:
    for wire in wires:
        ids = [("user", wire.user_id), ("device", wire.device_id)]
        ids += [("name", name) for name in wire.names]
        for kind, one in ids:
            until = held.get((kind, one), 0.0) if one is not None else 0.0
            assert until <= now, f"{kind} {one} is held and was sent"


class SentRates:
    """How often each id was sent of late, whatever became of it (rates.py)."""

    def __init__(self) -> None:
        self._sent: dict[str, deque[tuple[float, int]]] = {}

    def check(self, wires: Sequence[Wire], limits: Limits, now: float) -> None:
        """Those that count: with company, once in a request does not."""
        rate = limits.rate
        if rate is None:
            return
        is_alone = limits.records == 1 or limits.one_per_key
        ids = [one for w in wires for one in (f"u {w.user_id}", f"d {w.device_id}")]
        for one in dict.fromkeys(ids):
            count = ids.count(one)
            if one.endswith(" None") or (count == 1 and not is_alone):
                continue
            window = self._sent.setdefault(one, deque())
            while window and window[0][0] <= now - rate.seconds + 1e-6:
                window.popleft()
            window.append((now, count))
            total = sum(sent for _, sent in window)
            assert total <= rate.records, f"{one} came {total} times in {rate.seconds} s"
