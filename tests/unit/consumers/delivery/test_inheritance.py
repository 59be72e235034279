"""The keys that a partition's former owner held are held by the next owner, and no others."""

from collections.abc import Mapping, Sequence
from random import Random

import orjson
import pytest
from pydantic import SecretStr

from consumers.delivery.clocks import Held
from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Response
from consumers.delivery.offsets import Unfinished
from consumers.destinations.amplitude.events import AmplitudeEvents
from consumers.destinations.amplitude.forms import UPDATES, AmplitudeIdentify
from schemas.records import TopicPartition
from schemas.vendors.amplitude import AmplitudeDestination
from tests.simulation.log import Kept

NOW = 1000.0
PLACE = TopicPartition("events", 0)
DELIVERED = Response(200, b'{"code":200}')
RECORDS = [("ann", "phone"), ("bob", "phone"), ("cid", "tablet"), ("ann", "laptop")]


def owner() -> Delivery:
    config = AmplitudeDestination(type="amplitude", name="a", api_key=SecretStr("k"))
    return Delivery(
        AmplitudeEvents(config),
        topic="events",
        parked_topic="parked",
        memory_max_bytes=1_000_000,
        random=Random(1),
    )


def event(offset: int, user: str, device: str) -> Kept:
    value = {"event_type": "e", "user_id": user, "device_id": device, "time": 1}
    return Kept(*PLACE, offset, user.encode(), orjson.dumps(value), f"i{offset}")


def sends(delivery: Delivery, now: float) -> Sequence[int]:
    """The offsets that go out by then, all of which are delivered."""
    found: list[int] = []
    while batch := delivery.next_batch(now):
        found += [entry.offset for _, part in batch.parts for entry in part]
        delivery.settle(batch, DELIVERED, now)
    return found


def test_a_user_at_the_limit_of_updates_has_no_more_of_them_after_a_restart() -> None:
    """Amplitude drops what is over 1,800 an hour without an error; restarts are many in an hour."""
    config = AmplitudeDestination(type="amplitude", name="a", api_key=SecretStr("k"))
    update = {"user_id": "ann", "user_properties": {"$add": {"a": 1}}}
    records = [  # Of devices that differ: they cannot be merged.
        Kept(*PLACE, n, b"ann", orjson.dumps({**update, "device_id": f"d{n}"}), f"i{n}")
        for n in range(1000)
    ]
    sent, now = 0, NOW
    left: Unfinished | None = None
    held: Mapping[int, Held] = {}
    for _ in range(10):
        delivery = Delivery(
            AmplitudeIdentify(config),
            topic="events",
            parked_topic="parked",
            memory_max_bytes=10_000_000,
            random=Random(1),
        )
        delivery.assign(PLACE, sent, left, held)
        delivery.accept(records[sent:], now)
        for _ in range(60):
            now += 1.0
            while batch := delivery.next_batch(now):
                sent += batch.records
                delivery.settle(batch, Response(200, b"success"), now)
        assert delivery.committable() == {PLACE: sent}
        left, held = delivery.unfinished(PLACE), dict(delivery.holds(PLACE))
    assert UPDATES.burst < sent <= UPDATES.burst + 600 / UPDATES.interval + 10


@pytest.mark.parametrize(
    ("told", "free", "held"),
    [
        ({"throttled_users": {"ann": 9}, "throttled_events": [0, 3]}, [1, 2], [0, 3]),
        ({"throttled_devices": {"phone": 9}, "throttled_events": [0, 1]}, [2], [0, 1, 3]),
    ],
)
def test_who_is_held_waits_on_and_who_went_by_is_not_sent_again(
    told: dict[str, object], free: list[int], held: list[int]
) -> None:
    records = [event(offset, *who) for offset, who in enumerate(RECORDS)]
    former = owner()
    former.accept(records, NOW)
    batch = former.next_batch(NOW + 1)
    assert batch is not None
    refused = Response(429, orjson.dumps({"code": 429, "error": "slow down", **told}))
    former.settle(batch, refused, NOW + 1)
    assert sends(former, NOW + 2) == free

    committed = former.committable()[PLACE]
    heir = owner()
    heir.assign(PLACE, committed, former.unfinished(PLACE), dict(former.holds(PLACE)))
    heir.accept(records[committed:], NOW + 3)
    assert sends(heir, NOW + 20) == []
    assert sorted(sends(heir, NOW + 60)) == held
    assert heir.committable() == {PLACE: len(records)}
