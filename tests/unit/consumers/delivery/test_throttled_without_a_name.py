"""`/identify` answers 429 in plain text, which names nobody: one user may be meant, or all."""

from collections.abc import Callable
from random import Random

import orjson
import pytest
from pydantic import SecretStr

from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Response
from consumers.destinations.amplitude.forms import AmplitudeIdentify
from schemas.records import Stored, TopicPartition
from schemas.vendors.amplitude import AmplitudeDestination

CONFIG = AmplitudeDestination(type="amplitude", name="a", api_key=SecretStr("k"))
TOPIC = "user-properties"
USERS = 200
THROTTLED, TAKEN = Response(429, b"too_many_requests"), Response(200, b"success")


def update(partition: int, offset: int, user: str) -> Stored:
    value = orjson.dumps({"user_id": user, "user_properties": {"$set": {"n": offset}}})
    return Stored(TOPIC, partition, offset, 0, user.encode(), value, ())


def delivered(
    users: list[str],
    seconds: float,
    reply: Callable[[set[str], float], Response],
    partitions: int = 1,
) -> tuple[dict[str, float], int]:
    """When the last update of each user was taken, and how many requests there were."""
    delivery = Delivery(
        AmplitudeIdentify(CONFIG),
        topic=TOPIC,
        parked_topic=None,
        memory_max_bytes=10_000_000,
        random=Random(1),
    )
    for number in range(partitions):
        delivery.assign(TopicPartition(TOPIC, number), 0)
        own = users[number::partitions]
        delivery.accept([update(number, offset, user) for offset, user in enumerate(own)], now=0.0)
    taken: dict[str, float] = {}
    now, requests = 0.0, 0
    while now < seconds:
        while batch := delivery.next_batch(now):
            keys, requests = {one.key for one in batch.encoded}, requests + 1
            answer = reply(keys, now)
            delivery.settle(batch, answer, now)
            if answer is TAKEN:
                taken |= dict.fromkeys(keys, now)
        now += 0.5
    return taken, requests


@pytest.mark.parametrize("bad", [0, 7, USERS - 1])
def test_a_user_who_is_always_throttled_holds_up_no_other_for_long(bad: int) -> None:
    users = [f"user-{number}" for number in range(USERS)]
    taken, requests = delivered(
        users, 900.0, lambda keys, _now: THROTTLED if f"user-{bad}" in keys else TAKEN
    )
    assert set(users) - taken.keys() == {f"user-{bad}"}
    assert max(taken.values()) < 600.0
    assert requests < 100


def test_a_project_that_is_throttled_for_minutes_gets_few_requests_and_then_all() -> None:
    users = [f"user-{number}" for number in range(USERS)]
    taken, requests = delivered(
        users, 900.0, lambda _keys, now: THROTTLED if now < 300.0 else TAKEN
    )
    assert taken.keys() == set(users)
    assert max(taken.values()) < 360.0
    assert requests < 4 * USERS


def test_of_two_in_different_partitions_the_other_goes_on() -> None:
    taken, requests = delivered(
        ["bad", "good"],
        900.0,
        lambda keys, _now: THROTTLED if "bad" in keys else TAKEN,
        partitions=2,
    )
    assert taken.keys() == {"good"}
    assert taken["good"] < 120.0
    assert requests < 100
