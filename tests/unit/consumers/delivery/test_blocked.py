"""Of a run, those wait that would wait if they were drawn one by one."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.blocked import Blocked
from consumers.delivery.clocks import Clocks
from consumers.delivery.encoded_run import EncodedRun
from consumers.delivery.lanes import Lane
from consumers.delivery.offsets import Offsets
from consumers.delivery.outcomes import Id, IdKind
from consumers.delivery.parking import ParkedPartition
from consumers.delivery.policy import USUAL
from consumers.delivery.run import Run, run_of
from schemas.records import Stored, TopicPartition
from tests.columns import columns_of
from tests.examples import examples

ids = st.sampled_from(["a", "b", "c", "d"])
OFFSETS = Offsets(0)


def run_with(written: list[tuple[str, str | None, str | None]]) -> Run:
    records = [
        Stored("events", 0, n, 1, k.encode(), b"{}", ()) for n, (k, _, _) in enumerate(written)
    ]
    keys, users, devices = (list(column) for column in zip(*written, strict=True))
    encoded = EncodedRun([b"{}"] * len(written), keys, users, devices)
    return run_of(OFFSETS, columns_of(records), encoded)


@examples(300)
@given(
    st.lists(st.tuples(ids, st.none() | ids, st.none() | ids), min_size=1, max_size=12),
    st.lists(st.tuples(st.sampled_from(["user", "device", "key"]), ids), max_size=3),
    st.lists(ids, max_size=2),
    st.lists(ids, max_size=2),
)
def test_of_a_run_those_wait_that_would_wait_one_by_one(
    written: list[tuple[str, str | None, str | None]],
    holds: list[tuple[IdKind, str]],
    waiting: list[str],
    parked_keys: list[str],
) -> None:
    run, clocks, parked = run_with(written), Clocks(), ParkedPartition()
    for kind, value in holds:
        clocks.hold(Id(kind, value), 9.0, "throttled")
    for offset, key in enumerate(parked_keys):
        parked.park(key, offset, 9.0, "throttled")
    lane = Lane(TopicPartition("events", 0), OFFSETS, USUAL)
    for key in waiting:
        lane.wait(next(iter(run_with([(key, None, None)]))))
    blocked = Blocked(clocks, {0: parked})
    found = blocked.among(lane, run)

    must_wait = blocked.one(lane)
    expected = []
    for entry in run:
        expected.append(must_wait(entry))
        if expected[-1]:
            lane.wait(entry)
    assert (found or [False] * len(run)) == expected
