"""What must be true of the engine at every step, and of every request."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from consumers.delivery.batch import Batch
from consumers.delivery.destination import Limits
from consumers.delivery.entry import RECORD_BYTES
from consumers.delivery.lanes import Letter
from consumers.delivery.snapshot import Snapshot
from tests.simulation.subjects import Wire

BODY_BYTES_MAX = 30_000  # Of what the worlds write: a value, and the body that it becomes.


def check_whereabouts(
    found: Snapshot, in_flight: Iterable[Batch], letters: Iterable[Letter]
) -> None:
    """Everything unsettled is in one place, and counted once; `letters` are not acknowledged."""
    sent = [entry for batch in in_flight for _, part in batch.parts for entry in part]
    outside = [letter.entry for letter in letters]
    out = [one for entry in (*sent, *outside) for one in entry.parts or (entry,)]
    places = {(id(one.offsets), one.offset) for one in out}
    assert len(places) == len(out), "a record is in two places"
    ours = sum(entry.offsets.is_ours for entry in out) - found.in_flight
    assert ours == sum(entry.offsets.is_ours for entry in outside), "not all replies are waited for"
    inside = found.in_line + found.held + found.rejected + found.leaving
    assert found.unsettled == inside + found.in_flight + ours + found.parked, (
        f"a record is in no place, or in two: {found}"
    )
    in_memory = inside + len(out)
    least = in_memory * RECORD_BYTES
    most = least + in_memory * BODY_BYTES_MAX
    assert least <= found.bytes <= most, f"{found.bytes} bytes do not fit {in_memory} records"


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
        """Those that count: with other ids in a request, one record of an id does not."""
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
