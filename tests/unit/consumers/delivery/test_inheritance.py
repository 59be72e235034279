"""The keys that a partition's former owner held are held by the next owner, and no others."""

from collections.abc import Sequence
from random import Random

import orjson
import pytest
from pydantic import SecretStr

from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Response
from consumers.destinations.amplitude.events import AmplitudeEvents
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
