"""What `ampgate chaos` breaks, and when."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.lab.chaos.network import Impairment
from ampgate.lab.chaos.plan import Act, Lane, Step, plan, without
from ampgate.lab.simulators.app import simulator_app

USERS = [f"user{number:02}" for number in range(20)]
seeds = st.integers(0, 2**32 - 1)


def test_a_seed_is_one_plan() -> None:
    assert plan(7, 60, USERS) == plan(7, 60, USERS)
    assert plan(7, 60, USERS) != plan(8, 60, USERS)


@given(seeds, st.floats(1, 300))
def test_a_lane_rests_between_its_steps_and_ends_in_time(seed: int, seconds: float) -> None:
    for steps in plan(seed, seconds, USERS).values():
        assert all(step.rest > 0 for step in steps)
        assert sum(step.rest + step.seconds for step in steps) <= seconds


@given(seeds)
def test_25_seconds_are_enough_for_every_way_to_end_a_process(seed: int) -> None:
    steps = plan(seed, 25, USERS)
    assert {step.act for step in steps[Lane.EDGES]} == {Act.KILL, Act.REPLACE}
    assert {step.act for step in steps[Lane.DELIVERIES]} == {Act.KILL, Act.REPLACE, Act.JOIN}
    assert steps[Lane.KAFKA]
    assert steps[Lane.PULLS]


@given(seeds)
def test_two_minutes_have_every_fault_of_a_destination_before_one_comes_again(seed: int) -> None:
    for lane in (Lane.AMPLITUDE, Lane.AAMPE):
        times = Counter(step.name for step in plan(seed, 120, USERS)[lane])
        assert max(times.values()) - min(times.values()) <= 1
        assert {"lost answers", "throttled users", "status 401", "a sign-in page"} <= times.keys()


@given(seeds, st.integers(1, 3))
def test_long_enough_every_way_is_impaired_and_every_process_is_stopped(
    seed: int, brokers: int
) -> None:
    steps = plan(seed, 260, USERS, brokers)
    nodes = {f"broker {number}" for number in range(1, brokers + 1)}
    broken = {(step.name, step.act) for step in steps[Lane.KAFKA]}
    assert broken == {(node, act) for node in nodes for act in (Act.KILL, Act.FILL)}
    stopped = {step.name for step in steps[Lane.PAUSES]}
    assert stopped == {"an edge", "a delivery", "a pull", *nodes}
    impaired = {(step.name, step.impairment) for step in steps[Lane.NETWORK]}
    ways = {"the edges", "Amplitude", "Aampe", "Amperity", *nodes}
    assert impaired == {(way, impairment) for way in ways for impairment in Impairment}


@given(seeds)
def test_a_minute_has_every_clock_ahead_and_behind_by_minutes_to_hours(seed: int) -> None:
    steps = plan(seed, 75, USERS)[Lane.CLOCKS]
    assert {(step.name, step.ahead > 0) for step in steps} == {
        (name, is_ahead)
        for name in ("the edges", "the deliveries", "the pulls")
        for is_ahead in (True, False)
    }
    assert all(60 <= abs(step.ahead) <= 6 * 3600 for step in steps)


@given(seeds, st.floats(40, 600))
def test_partitions_are_added_in_both_orders_and_in_each_once(seed: int, seconds: float) -> None:
    steps = plan(seed, seconds, USERS)[Lane.PARTITIONS]
    names = [step.name for step in steps]
    assert sorted(names) == ["the parked topic first", "the parked topic last"]


@given(seeds)
def test_25_seconds_have_records_deleted_and_partitions_added(seed: int) -> None:
    steps = plan(seed, 25, USERS)
    assert all(0 < step.share <= 1 for step in steps[Lane.RETENTION])
    assert steps[Lane.RETENTION]
    assert steps[Lane.PARTITIONS]


def test_what_cannot_be_done_here_is_left_out_and_nothing_else() -> None:
    lanes = plan(1, 300, USERS)
    left = without(Act.FILL, lanes)
    assert {step.act for step in left[Lane.KAFKA]} == {Act.KILL}
    assert {lane: left[lane] for lane in Lane if lane is not Lane.KAFKA} == {
        lane: lanes[lane] for lane in Lane if lane is not Lane.KAFKA
    }


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            Step(Lane.CLOCKS, Act.SET, "the edges", ahead=-7200.0, seconds=2.0),
            "clocks: that of the edges is 120 min behind for 2.0 s",
        ),
        (
            Step(Lane.RETENTION, Act.DELETE, share=0.5, seconds=2.0),
            "retention: deliveries stopped for 2.0 s, 50% of what waits is deleted",
        ),
        (
            Step(Lane.PARTITIONS, Act.GROW, "the parked topic last", seconds=2.0),
            "partitions: twice as many, of the parked topic last, 2.0 s between",
        ),
        (
            Step(Lane.KAFKA, Act.FILL, "broker 2", seconds=2.0),
            "Kafka: the disk of broker 2 is full, a new one after 2.0 s",
        ),
    ],
)
def test_a_step_says_what_it_does(step: Step, words: str) -> None:
    assert step.words == words


@pytest.mark.parametrize("lane", [Lane.AMPLITUDE, Lane.AAMPE, Lane.AMPERITY])
async def test_the_simulators_know_every_fault(lane: Lane) -> None:
    with closing(simulator_app(lane.lower())) as app:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            for step in faults(plan(1, 300, USERS)[lane], 8 if lane is Lane.AMPERITY else 14):
                answer = await client.post("http://simulator/_faults", json={"rules": step.rules})
                assert answer.json() == {"rules": len(step.rules)}


def faults(steps: Sequence[Step], kinds: int) -> Sequence[Step]:
    found = [step for step in steps if step.act is Act.FAULT]
    assert len({step.name for step in found}) >= kinds
    return found
