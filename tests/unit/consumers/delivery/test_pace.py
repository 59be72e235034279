"""How fast a destination is sent to, as it answers quickly, slowly, with 429 or not at all."""

from dataclasses import replace
from random import Random

import pytest
from pydantic import SecretStr

from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Limits, Reply, Response, Unreachable, ambiguity
from consumers.delivery.outcomes import Pause, Retry
from consumers.delivery.pace import SLOW_LIMIT_MIN, Pace, Wait
from consumers.delivery.policy import USUAL, Policy
from consumers.destinations.aampe.events import AampeEvents
from schemas.records import TopicPartition
from schemas.vendors.aampe import AampeDestination
from tests.simulation.log import Kept

ALIKE = Limits(records=1, bytes=1000, linger_seconds=0.0, concurrency=64)
AMID = 0.05  # Seconds an answer takes.
THROTTLED = Retry("throttled", 5.0)


def pace(wait: Wait | None = None) -> Pace:
    """It has had answers enough to be at its limit of 64."""
    found = Pace(ALIKE, Random(1), wait)
    for _ in range(40):
        found.answered(AMID, now=10.0)
    return found


def test_a_new_destination_gets_more_with_each_answer_up_to_its_limit() -> None:
    new = Pace(ALIKE, Random(1))
    before = new.in_flight_max
    new.answered(AMID, now=10.0)
    assert new.in_flight_max == before + 1 < 64
    assert pace().in_flight_max == 64
    assert Pace(replace(ALIKE, concurrency=8), Random(1)).in_flight_max == 8


def test_a_late_answer_does_not_end_a_wait_that_was_asked_for() -> None:
    asked = pace()
    asked.failed(THROTTLED, now=100.0)
    asked.answered(AMID, now=100.1)
    assert (asked.paused, asked.paused_until) == ("throttled", 105.0)
    asked.answered(AMID, now=105.2)
    assert (asked.paused, asked.paused_until < 105.2) == (None, True)


def test_nothing_shortens_a_wait_that_was_asked_for() -> None:
    asked = pace()
    asked.failed(THROTTLED, now=100.0)
    for outcome in (Retry("throttled", 1.0), Retry("timeout"), Pause("status_401")):
        asked.failed(outcome, now=100.5)
        assert asked.paused_until >= 105.0


def test_what_was_delivered_is_not_sent_again_however_many_were_refused_before() -> None:
    refused = pace()
    assert [refused.judged(records=1, rejected=1) for _ in range(USUAL.rejects_min)][-1]
    refused.paused = None  # Another answer came, which was no success.
    assert not refused.judged(records=1, rejected=0)
    assert refused.judged(records=1, rejected=1)


def test_a_destination_may_declare_another_policy() -> None:
    patient = Policy(backoff_first_seconds=60.0, backoff_last_seconds=60.0, failures_to_open=1)
    hit = Pace(replace(ALIKE, policy=patient), Random(1))
    hit.failed(Retry("timeout"), now=100.0)
    assert (hit.paused, hit.paused_until >= 106.0) == ("timeout", True)


def test_who_shares_a_key_shares_its_wait() -> None:
    wait = Wait()
    events, properties = pace(wait), pace(wait)
    events.failed(THROTTLED, now=100.0)
    assert properties.paused_until == 105.0


def test_requests_that_fail_together_open_the_breaker_once() -> None:
    hit = pace()
    for _ in range(64):
        hit.failed(Retry("connection_broken"), now=100.0)
    assert hit.paused == "connection_broken"
    assert hit.paused_until <= 100.0 + USUAL.backoff_first_seconds
    assert USUAL.failures_to_open < 64


def test_an_outage_is_one_pause_however_each_request_fails() -> None:
    """Else an alert that waits for a minute of one reason is never raised."""
    hit, now = pace(), 100.0
    found = set()
    for number in range(60):
        reason = ("timeout", "status_502", "status_503")[number % 3]
        hit.failed(Retry(reason, 5.0 if number % 4 == 0 else None), now)
        now = hit.paused_until + 1.0
        found.add(hit.paused)
    assert len(found) == 1
    for outcome in (Pause("status_401"), Retry("throttled", 5.0)):
        hit.failed(outcome, now)
        assert hit.paused == outcome.reason
        hit.failed(Retry("timeout", 5.0), now)
        assert hit.paused == "timeout"
    hit.answered(AMID, now + 100.0)
    assert hit.paused is None


def test_a_throttled_destination_gets_half_as_much_and_a_little_more_with_each_answer() -> None:
    throttled = pace()
    throttled.failed(THROTTLED, now=100.0)
    throttled.answered(AMID, now=106.0)
    assert throttled.in_flight_max == 32
    for _ in range(200):
        throttled.answered(AMID, now=106.0)
    assert 34 < throttled.in_flight_max < 64


def test_answers_that_grow_slower_lower_the_concurrency_and_quick_ones_raise_it() -> None:
    queueing = pace()
    now = 100.0
    for seconds in (0.05, 0.6):
        for _ in range(600):
            now += 0.02
            queueing.answered(seconds, now)
    assert SLOW_LIMIT_MIN <= queueing.in_flight_max < 32
    for _ in range(6000):
        now += 0.02
        queueing.answered(0.05, now)
    assert queueing.in_flight_max == 64


@pytest.mark.parametrize("seconds", [0.001, 0.3, 5.0])
def test_a_far_end_that_is_always_slow_is_not_throttled_for_it(seconds: float) -> None:
    far = Pace(ALIKE, Random(1))
    for number in range(1000):
        far.answered(seconds * (1.0 + number % 10 / 20), now=100.0 + number / 10)
    assert far.in_flight_max == 64


def test_who_is_told_to_wait_is_not_stuck_also_where_another_topic_of_the_key_was_told() -> None:
    wait, place = Wait(), TopicPartition("events", 0)
    told, other = aampe(wait), aampe(wait)
    for delivery in (told, other):
        delivery.accept([event(1)], now=0.0)
    batch = told.next_batch(now=0.0)
    assert batch is not None
    told.settle(batch, Response(429, b"", 3600.0), now=0.0)
    for delivery in (told, other):
        assert delivery.next_batch(now=3599.0) is None
        assert delivery.pending(place, now=3599.0) == (1, 1)
    assert other.pending(place, now=3601.0) == (1, 0)


def test_whose_records_others_have_now_is_not_paused_for_ever() -> None:
    """It has nothing to probe with, and would be paused still when all others deliver again."""
    delivery, place = aampe(), TopicPartition("events", 0)
    delivery.accept([event(1)], now=0.0)
    batch = delivery.next_batch(now=0.0)
    assert batch is not None
    delivery.settle(batch, Response(401, b""), now=0.0)
    assert delivery.next_batch(now=1.0) is None
    delivery.revoke([place])
    assert delivery.next_batch(now=1.0) is None
    assert delivery.paused == "status_401"  # A rebalance may give it back at once.
    assert delivery.next_batch(now=60.0) is None
    assert delivery.paused is None


def aampe(wait: Wait | None = None) -> Delivery:
    config = AampeDestination(type="aampe", name="a", api_key=SecretStr("k"), region="us-east1")
    return Delivery(
        AampeEvents(config),
        topic="events",
        parked_topic=None,
        memory_max_bytes=1_000_000,
        random=Random(1),
        wait=wait,
    )


def event(number: int, user: int | None = None) -> Kept:
    """Of a user of its own, if none is given."""
    user_id = f"u{number if user is None else user}"
    value = b'{"event_type":"e","user_id":"%b"}' % user_id.encode()
    return Kept("events", 0, number, user_id.encode(), value, f"i{number}")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Response(202, b""), None),
        (Response(429, b""), None),
        (Response(503, b""), None),
        (Response(500, b""), "status_500"),
        (Response(504, b""), "status_504"),
        (Unreachable("connect_failed"), None),
        (Unreachable("timeout"), "timeout"),
        (Unreachable("connection_broken"), "connection_broken"),
    ],
)
def test_a_reply_says_whether_the_request_may_have_been_carried_out(
    reply: Reply, why: str | None
) -> None:
    assert ambiguity(reply) == why
