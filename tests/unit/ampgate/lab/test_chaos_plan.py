"""What `ampgate chaos` breaks, and when."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampgate.lab.chaos.network import Impairment
from ampgate.lab.chaos.plan import Act, Lane, Step, plan
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
    assert {step.name for step in steps[Lane.KAFKA]} == nodes
    stopped = {step.name for step in steps[Lane.PAUSES]}
    assert stopped == {"an edge", "a delivery", "a pull", *nodes}
    impaired = {(step.name, step.impairment) for step in steps[Lane.NETWORK]}
    ways = {"the edges", "Amplitude", "Aampe", "Amperity", *nodes}
    assert impaired == {(way, impairment) for way in ways for impairment in Impairment}


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
