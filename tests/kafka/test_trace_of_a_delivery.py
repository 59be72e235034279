"""Where is my event? Answered while, and after, the delivery was at work."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ampgate.trace.trace import ByInsertId, ByUser, Search, partition_of, trace
from ampgate.trace.whereabouts import State, Whereabouts
from tests.eventually import seen
from tests.operating import AAMPE, AMPLITUDE, Message, Operation, event, set_faults

UNSETTLED = {State.UNREAD, State.WAITING}


def are_settled(states: dict[tuple[str, str], State]) -> bool:
    return UNSETTLED.isdisjoint(states.values())


async def test_what_the_delivery_did_with_each_record_is_known(
    simulated: Operation, tmp_path: Path
) -> None:
    topic = simulated.config.kafka.topics.events
    anonymous = Message(b'{"event_type":"Seen","device_id":"tablet","insert_id":"s"}', b"tablet")
    broken = Message(b'{"event_type":"Bought","insert_id":"x"}', b"ann")
    await simulated.produce(topic, [event("ann", insert_id="a"), broken, anonymous])
    async with simulated.delivering(tmp_path):
        ann = await seen(partial(simulated.states, ByUser("ann")), are_settled)
        tablet = await seen(partial(simulated.states, ByUser("tablet")), are_settled)

    assert ann == {
        (AMPLITUDE, "a"): State.DELIVERED,
        (AAMPE, "a"): State.DELIVERED,
        (AMPLITUDE, "x"): State.DEAD,
        (AAMPE, "x"): State.DEAD,
    }
    assert tablet == {(AMPLITUDE, "s"): State.DELIVERED, (AAMPE, "s"): State.SKIPPED}


async def test_what_was_delivered_past_a_throttled_user_is_delivered(
    simulated: Operation, tmp_path: Path
) -> None:
    neighbours = [name for name in map("user-{}".format, range(20)) if partition_of(name, 3) == 0]
    held, other, *_ = neighbours
    throttle = {"match": {"id": held}, "effect": {"kind": "throttle", "seconds": 30}}
    await set_faults(simulated.url(AMPLITUDE), throttle)
    events = [event(held, insert_id="h1"), event(held, insert_id="h2"), event(other)]
    *_, last = await simulated.produce(simulated.config.kafka.topics.events, events)
    async with simulated.delivering(tmp_path):
        await seen(
            partial(simulated.states, ByUser(other)),
            lambda found: found[AMPLITUDE, last] == State.DELIVERED,
        )

        async def traces() -> tuple[Sequence[Whereabouts], Sequence[Whereabouts]]:
            """Both of one time: every half minute the user is tried again."""
            found = await trace(simulated.config, Search(ByUser(held)))
            by_id = await trace(simulated.config, Search(ByInsertId("h2")))
            return found, by_id

        found, _ = await seen(
            traces, lambda both: both[1] == [one for one in both[0] if one.insert_id == "h2"]
        )

    first, second = [one for one in found if one.destination == AMPLITUDE]
    assert (first.state, first.reason) == (State.WAITING, "throttled")
    assert first.until is not None
    assert replace(second, insert_id="h1", offset=first.offset, time=first.time) == first


async def test_what_is_over_its_quota_is_parked_until_its_wake_time(
    simulated: Operation, tmp_path: Path
) -> None:
    quota = {"match": {"id": "ann"}, "effect": {"kind": "daily_quota"}}
    topics = simulated.config.kafka.topics
    await set_faults(simulated.url(AMPLITUDE), quota)
    await simulated.produce(topics.events, [event("ann", insert_id="a")])
    async with simulated.delivering(tmp_path):
        await seen(partial(simulated.stored, topics.parked), bool)
        await seen(
            partial(simulated.states, ByUser("ann")),
            lambda found: found[AAMPE, "a"] == State.DELIVERED,
        )
        waiting, _ = await trace(simulated.config, Search(ByInsertId("a")))
        parked = await simulated.stored(topics.parked)

    assert (waiting.destination, waiting.state) == (AMPLITUDE, State.WAITING)
    # It is parked again where an hour, and so the quota, has ended meanwhile.
    assert waiting.reason == "daily_quota"
    assert waiting.until in [one.header("not_before") for one in parked]


async def test_what_a_destination_rejected_is_dead_there_alone(
    simulated: Operation, tmp_path: Path
) -> None:
    silence = {"match": {"id": "phone"}, "effect": {"kind": "silence"}}
    await set_faults(simulated.url(AMPLITUDE), silence)
    doomed = event("ann", device_id="phone", insert_id="a")
    await simulated.produce(simulated.config.kafka.topics.events, [doomed])
    async with simulated.delivering(tmp_path):
        states = await seen(partial(simulated.states, ByUser("ann")), are_settled)
        dead, _ = await trace(simulated.config, Search(ByUser("ann")))

    assert states == {(AMPLITUDE, "a"): State.DEAD, (AAMPE, "a"): State.DELIVERED}
    assert dead.reason == "silenced"


async def test_what_came_after_the_delivery_left_says_that_none_runs(
    simulated: Operation, tmp_path: Path
) -> None:
    topic = simulated.config.kafka.topics.events
    await simulated.produce(topic, [event("ann", insert_id="a")])
    async with simulated.delivering(tmp_path):
        await seen(partial(simulated.states, ByUser("ann")), are_settled)
    await simulated.produce(topic, [event("ann", insert_id="b")])

    found = await trace(simulated.config, Search(ByUser("ann")))
    assert {(one.destination, one.insert_id): (one.state, one.reason) for one in found} == {
        (AMPLITUDE, "a"): (State.DELIVERED, None),
        (AAMPE, "a"): (State.DELIVERED, None),
        (AMPLITUDE, "b"): (State.UNREAD, "no_delivery_now"),
        (AAMPE, "b"): (State.UNREAD, "no_delivery_now"),
    }
